import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec';

/** An object as `kubectl kustomize` renders it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

/** A problem of an object, in one line that names the field. */
export interface ManifestFinding {
  readonly object: KubeObject;
  readonly problem: string;
}

/** Selects the objects of a kind, typed. Only for objects that fit their schemas. */
export function ofKind<T>(objects: readonly KubeObject[], kind: string): (T & KubeObject)[] {
  return objects.filter((object) => object.kind === kind) as (T & KubeObject)[];
}

export interface KubeWorkload {
  readonly object: KubeObject;
  /** The template of its pods. */
  readonly template: IPodTemplateSpec;
}

interface WithTemplate {
  readonly spec?: {
    readonly template?: IPodTemplateSpec;
    readonly jobTemplate?: { readonly spec?: { readonly template?: IPodTemplateSpec } };
  };
}

/** Finds the objects that make pods: a Pod, or any object with a pod template. */
export function workloads(objects: readonly KubeObject[]): KubeWorkload[] {
  return objects.flatMap((object) => {
    const { spec } = object as WithTemplate;
    const template = object.kind === 'Pod' ? (object as IPodTemplateSpec) : (spec?.template ?? spec?.jobTemplate?.spec?.template);
    return template ? [{ object, template }] : [];
  });
}

/** Lists its containers, init containers first. */
export function containers({ template }: KubeWorkload) {
  return [...(template.spec?.initContainers ?? []), ...(template.spec?.containers ?? [])];
}
