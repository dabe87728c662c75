import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec';

/** An object as `kubectl kustomize` renders it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

/** What is wrong with an object, in one line that names the field. */
export interface Finding {
  readonly object: KubeObject;
  readonly problem: string;
}

/** Those of a kind, with its type. Only for objects that their schemas have let pass. */
export function ofKind<T>(objects: readonly KubeObject[], kind: string): (T & KubeObject)[] {
  return objects.filter((object) => object.kind === kind) as (T & KubeObject)[];
}

export interface Workload {
  readonly object: KubeObject;
  /** Its pods. */
  readonly template: IPodTemplateSpec;
}

interface WithTemplate {
  readonly spec?: {
    readonly template?: IPodTemplateSpec;
    readonly jobTemplate?: { readonly spec?: { readonly template?: IPodTemplateSpec } };
  };
}

/** Whatever makes pods: a Pod, or anything with a template of pods in it. */
export function workloads(objects: readonly KubeObject[]): Workload[] {
  return objects.flatMap((object) => {
    const { spec } = object as WithTemplate;
    const template = object.kind === 'Pod' ? (object as IPodTemplateSpec) : (spec?.template ?? spec?.jobTemplate?.spec?.template);
    return template ? [{ object, template }] : [];
  });
}

/** Its containers, those that run before the others as well. */
export function containers({ template }: Workload) {
  return [...(template.spec?.initContainers ?? []), ...(template.spec?.containers ?? [])];
}
