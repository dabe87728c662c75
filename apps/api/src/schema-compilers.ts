import { Ajv, type ValidateFunction } from 'ajv';
import fastJsonStringify, { type Schema } from 'fast-json-stringify';
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';

/**
 * Compiles the schema of a request or an answer when it is first used. Fastify would compile all of them at the start, which takes
 * a quarter of the processor time that a start takes; most processes use few of them.
 */
export function compileSchemasWhenUsed(app: FastifyInstance): void {
  // Query parameters are text, so they are coerced to numbers; JSON bodies have types of their own and are not coerced.
  const strict = new Ajv({ useDefaults: true, strict: false });
  const lenient = new Ajv({ useDefaults: true, strict: false, coerceTypes: true });
  app.setValidatorCompiler(({ schema, httpPart }) => {
    const ajv = httpPart === 'querystring' ? lenient : strict;
    let validate: ValidateFunction | undefined;
    const check: ReturnType<FastifySchemaCompiler<unknown>> = (data: unknown) => {
      validate ??= ajv.compile(schema as object);
      const isValid = validate(data);
      check.errors = validate.errors ?? null;
      return isValid;
    };
    return check;
  });
  app.setSerializerCompiler(({ schema }) => {
    let serialize: ReturnType<typeof fastJsonStringify> | undefined;
    return (data: unknown) => {
      serialize ??= fastJsonStringify(schema as Schema);
      return serialize(data);
    };
  });
}
