import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IEnvVar } from 'kubernetes-models/v1/EnvVar';
import type { ISecret } from 'kubernetes-models/v1/Secret';
import { EnvError, namesReadBy, readEnv, type VariableName } from '../../packages/runtime/src/env.ts';
import { READERS } from '../../packages/runtime/src/variables.ts';
import { containers, type Finding, type KubeObject, ofKind, workloads } from './object.ts';

/** Read by Node and by OpenTelemetry, not by us. */
const OTHERS = /^(NODE|OTEL)_/;

/** The variables that an app reads; null for a container of somebody else's. */
export function readBy(app: string): VariableName[] | null {
  const reader = READERS.find((name) => name === app);
  return reader ? namesReadBy(reader) : null;
}

/** What `readEnv` would say of a variable; null where all is well. */
function complaint(name: VariableName, value: string | undefined): string | null {
  try {
    readEnv(value === undefined ? {} : { [name]: value }, [name]);
    return null;
  } catch (error) {
    if (error instanceof EnvError) return error.message;
    throw error;
  }
}

/** A variable's value; null where only the cluster knows it, undefined where there is none. */
type Value = string | null | undefined;

/** ConfigMaps and Secrets that are rendered, what is taken from them, and what is not. */
class Sources {
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

  /** @returns the value, or what is wrong with where it should come from */
  take({ name, value, valueFrom }: IEnvVar): { value: Value } | { problem: string } {
    const ref = valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef;
    if (!ref) return { value: valueFrom ? null : (value ?? '') };
    const kind = valueFrom?.configMapKeyRef ? 'ConfigMap' : 'Secret';
    const source = this.#sources.find(({ object }) => object.kind === kind && object.metadata.name === ref.name);
    // A Secret is made by hand or from a vault; a ConfigMap is not.
    if (!source && (kind === 'Secret' || ref.optional)) return { value: ref.optional ? undefined : null };
    if (!source) return { problem: `${name}: there is no ${kind} '${ref.name}'` };
    source.taken.add(ref.key);
    const found = source.data[ref.key];
    return found === undefined && !ref.optional ? { problem: `${name}: ${kind} '${ref.name}' has no key '${ref.key}'` } : { value: found };
  }

  /** Settings that reach nobody, as a misspelt one does not. */
  leftOver(): Finding[] {
    return this.#sources.flatMap(({ object, data, taken }) =>
      Object.keys(data)
        .filter((key) => !taken.has(key))
        .map((key) => ({ object, problem: `no container takes its key '${key}'` })),
    );
  }
}

/** Whether each process of ours gets what it reads, well-formed as far as it can be known here, and nothing else. */
export function environmentFindings(objects: readonly KubeObject[]): Finding[] {
  const sources = new Sources(objects);
  const findings = workloads(objects).flatMap((workload) =>
    containers(workload).flatMap((container) => {
      const names = readBy(container.name);
      const problems: string[] = [];
      // By its name a container is known to be an app of ours: another name must not get it past.
      if (!names && container.image?.includes('sandman')) problems.push(`'${container.name}' is no folder of apps/`);
      const values = new Map<string, Value>();
      for (const variable of container.env ?? []) {
        const taken = sources.take(variable);
        if ('problem' in taken) problems.push(taken.problem);
        else values.set(variable.name, taken.value);
        if (values.has(variable.name) && names && !names.includes(variable.name as VariableName) && !OTHERS.test(variable.name)) {
          problems.push(`'${variable.name}' is no variable that it reads`);
        }
      }
      // What comes as a whole cannot be told to come from where it should, nor that a process gets no other's secret.
      if (container.envFrom?.length) problems.push('envFrom must not be used: each variable by its name');
      for (const name of names ?? []) {
        const value = values.get(name);
        const said = value === null || problems.some((problem) => problem.startsWith(`${name}:`)) ? null : complaint(name, value);
        if (said) problems.push(said);
      }
      return problems.map((problem): Finding => ({ object: workload.object, problem: `container ${container.name}: ${problem}` }));
    }),
  );
  return [...findings, ...sources.leftOver()];
}
