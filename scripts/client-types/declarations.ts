import { execFileSync } from 'node:child_process';
import * as api from '../../packages/contracts/src/index.ts';

/** The JSON schema of a type, as far as the client's types need it. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

/** The types of the client, each by the schema that it is written from. */
const NAMES: ReadonlyMap<Schema, string> = new Map<Schema, string>([
  [api.Duration, 'Duration'],
  [api.ActivityKind, 'ActivityKind'],
  [api.Status, 'Status'],
  [api.PolicySchema, 'Policy'],
  [api.SessionSchema, 'Session'],
  [api.ListAnswer, 'SessionPage'],
  [api.ChangeSchema, 'Change'],
  [api.PoliciesAnswer, 'Policies'],
  [api.SavedSchema, 'Saved'],
  [api.SpentSchema, 'Spent'],
  [api.ShadowSchema, 'Shadow'],
  [api.SavingsSchema, 'Savings'],
  [api.BatchAnswer, 'BatchAnswer'],
  [api.WebhookSchema, 'WebhookEvent'],
]);

const HEADER = `/**
 * Types of the API's answers. \`npm run client:types\` writes this file from the schemas of packages/contracts, which the API
 * validates with and publishes in \`/openapi.json\`. Do not edit it.
 */
`;

const PRIMITIVES: Readonly<Record<string, string>> = { string: 'string', integer: 'number', number: 'number', null: 'null' };

const docstring = ({ description }: Schema): string => (description === undefined ? '' : `/** ${description} */\n`);

function property(schema: Schema, name: string): string {
  return `${name}${schema.required?.includes(name) ? '' : '?'}: ${typeOf(schema.properties![name]!)};`;
}

/** Writes a type inside another one: its name if it has one. */
function typeOf(schema: Schema): string {
  return NAMES.get(schema) ?? bodyOf(schema);
}

function bodyOf(schema: Schema): string {
  const { type = '', anyOf, items, properties, patternProperties } = schema;
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  if (anyOf) return anyOf.map(typeOf).join(' | ');
  if (items) return `(${typeOf(items)})[]`;
  if (patternProperties) return `Record<string, ${Object.values(patternProperties).map(typeOf).join(' | ')}>`;
  if (properties)
    return `{ ${Object.keys(properties)
      .map((name) => property(schema, name))
      .join(' ')} }`;
  if (!PRIMITIVES[type]) throw new Error(`a schema has no type that the client knows: ${JSON.stringify(schema)}`);
  return PRIMITIVES[type];
}

function declaration(schema: Schema, name: string): string {
  const { properties } = schema;
  if (!properties) return `${docstring(schema)}export type ${name} = ${bodyOf(schema)};\n`;
  const lines = Object.entries(properties).map(
    ([field, inner]) => `${NAMES.has(inner) ? '' : docstring(inner)}${property(schema, field)}\n`,
  );
  return `${docstring(schema)}export interface ${name} {\n${lines.join('')}}\n`;
}

/** Writes packages/client/src/api-types.ts: the types of the API's answers, with the schemas' descriptions as docstrings. */
export function clientTypes(): string {
  const declarations = Array.from(NAMES, ([schema, name]) => declaration(schema, name));
  const path = 'packages/client/src/api-types.ts';
  return execFileSync('biome', ['format', `--stdin-file-path=${path}`], { input: [HEADER, ...declarations].join('\n'), encoding: 'utf8' });
}
