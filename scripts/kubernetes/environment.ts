import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IEnvVar } from 'kubernetes-models/v1/EnvVar';
import type { ISecret } from 'kubernetes-models/v1/Secret';
import { EnvError, namesReadBy, readEnv, type VariableName } from '../../packages/runtime/src/env.ts';
import { READERS } from '../../packages/runtime/src/variables.ts';
import { containers, type KubeObject, type ManifestFinding, ofKind, workloads } from './object.ts';

/** Variables that Node and OpenTelemetry read, and no code of this repository. */
const VARIABLES_OF_OTHERS = /^(NODE|OTEL)_/;

/** @returns the variables that an app reads; null for a third-party container */
export function readBy(app: string): VariableName[] | null {
  const reader = READERS.find((name) => name === app);
  return reader ? namesReadBy(reader) : null;
}

/** @returns the error that `readEnv` would throw for a variable; null: none */
function complaint(name: VariableName, value: string | undefined): string | null {
  try {
    readEnv(value === undefined ? {} : { [name]: value }, [name]);
    return null;
  } catch (error) {
    if (error instanceof EnvError) return error.message;
    throw error;
  }
}

/** A variable's value; null if only the cluster knows it, undefined if it is not set. */
type Value = string | null | undefined;

/** The rendered ConfigMaps and Secrets, and which of their keys containers take. */
class VariableSources {
  readonly #sources: { readonly object: KubeObject; readonly data: Readonly<Record<string, string>>; readonly taken: Set<string> }[];

  constructor(objects: readonly KubeObject[]) {
    const decoded = ({ data, stringData }: ISecret) => ({
      ...Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()])),
      ...stringData,
    });
    this.#sources = [
      ...ofKind<IConfigMap>(objects, 'ConfigMap').map((object) => ({ object, data: object.data ?? {}, taken: new Set<string>() })),
      ...ofKind<ISecret>(objects, 'Secret').map((object) => ({ object, data: decoded(object), taken: new Set<string>() })),
    ];
  }

  /** Resolves a variable. @returns its value, or what is wrong with the reference to its source */
  take({ name, value, valueFrom }: IEnvVar): { value: Value } | { problem: string } {
    const ref = valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef;
    if (!ref) return { value: valueFrom ? null : (value ?? '') };
    const kind = valueFrom?.configMapKeyRef ? 'ConfigMap' : 'Secret';
    const source = this.#sources.find(({ object }) => object.kind === kind && object.metadata.name === ref.name);
    // A Secret may be created by hand or from a vault; a ConfigMap must be rendered.
    if (!source && (kind === 'Secret' || ref.optional)) return { value: ref.optional ? undefined : null };
    if (!source) return { problem: `${name}: there is no ${kind} '${ref.name}'` };
    source.taken.add(ref.key);
    const found = source.data[ref.key];
    return found === undefined && !ref.optional ? { problem: `${name}: ${kind} '${ref.name}' has no key '${ref.key}'` } : { value: found };
  }

  /** Finds keys that no container takes, such as misspelt ones. */
  leftOver(): ManifestFinding[] {
    return this.#sources.flatMap(({ object, data, taken }) =>
      Object.keys(data)
        .filter((key) => !taken.has(key))
        .map((key) => ({ object, problem: `no container takes its key '${key}'` })),
    );
  }
}

/** Checks that each of our processes gets the variables that it reads, well-formed as far as the manifests show, and no others. */
export function environmentFindings(objects: readonly KubeObject[]): ManifestFinding[] {
  const sources = new VariableSources(objects);
  const findings = workloads(objects).flatMap((workload) =>
    containers(workload).flatMap((container) => {
      const names = readBy(container.name);
      const problems: string[] = [];
      // A container is recognized as one of our apps by its name. One of our images under another name must not escape the check.
      if (!names && container.image?.includes('sandman')) problems.push(`'${container.name}' is no folder of apps/`);
      const values = new Map<string, Value>();
      for (const variable of container.env ?? []) {
        const taken = sources.take(variable);
        if ('problem' in taken) problems.push(taken.problem);
        else values.set(variable.name, taken.value);
        if (
          values.has(variable.name) &&
          names &&
          !names.includes(variable.name as VariableName) &&
          !VARIABLES_OF_OTHERS.test(variable.name)
        ) {
          problems.push(`'${variable.name}' is no variable that it reads`);
        }
      }
      // With envFrom it cannot be checked where a variable comes from, nor that a process does not get the secrets of another.
      if (container.envFrom?.length) problems.push('envFrom must not be used: each variable by its name');
      for (const name of names ?? []) {
        const value = values.get(name);
        const said = value === null || problems.some((problem) => problem.startsWith(`${name}:`)) ? null : complaint(name, value);
        if (said) problems.push(said);
      }
      return problems.map((problem): ManifestFinding => ({ object: workload.object, problem: `container ${container.name}: ${problem}` }));
    }),
  );
  return [...findings, ...sources.leftOver()];
}
