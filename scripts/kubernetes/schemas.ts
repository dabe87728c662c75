import * as keda from '@kubernetes-models/keda/keda.sh/v1alpha1';
import * as monitoring from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import * as apps from 'kubernetes-models/apps/v1';
import * as autoscaling from 'kubernetes-models/autoscaling/v2';
import * as batch from 'kubernetes-models/batch/v1';
import * as networking from 'kubernetes-models/networking.k8s.io/v1';
import * as policy from 'kubernetes-models/policy/v1';
import * as rbac from 'kubernetes-models/rbac.authorization.k8s.io/v1';
import * as core from 'kubernetes-models/v1';
import type { KubeObject, ManifestFinding } from './object.ts';

const MODELS: Record<string, object> = {
  v1: core,
  'apps/v1': apps,
  'autoscaling/v2': autoscaling,
  'batch/v1': batch,
  'networking.k8s.io/v1': networking,
  'policy/v1': policy,
  'rbac.authorization.k8s.io/v1': rbac,
  'keda.sh/v1alpha1': keda,
  'monitoring.coreos.com/v1': monitoring,
};

interface SchemaError {
  /** A JSON pointer. */
  readonly instancePath: string;
  readonly message?: string;
}

/**
 * Validates an object by its published schema, and reports every field that the schema does not know.
 *
 * The models' own validators let unknown fields pass. But a validator reads each field that its schema knows, including those
 * of a free map, and no other. So a field that it has not read is unknown. An error of this method can only be too strict.
 */
export function schemaFindings(object: KubeObject): { readonly wrong: ManifestFinding[]; readonly unknown: ManifestFinding[] } {
  const find = (problem: string): ManifestFinding => ({ object, problem });
  const models = MODELS[object.apiVersion] as Record<string, { prototype: { validate(): void } }> | undefined;
  const model = models?.[object.kind];
  if (!model) return { wrong: [find(`no schema is known for kind '${object.kind}' of apiVersion '${object.apiVersion}'`)], unknown: [] };

  const read = new Map<object, Set<string>>();
  const errors = schemaErrors(() => model.prototype.validate.call(recordingReads(object, read)));
  const broken = new Set(errors.map(({ instancePath }) => instancePath));
  return {
    wrong: [...new Set(errors.map(({ instancePath, message }) => `${fieldPath(instancePath)}: ${message}`))].map(find),
    unknown: unread(object, read, broken, '').map((path) => find(`${fieldPath(path)}: unknown field '${lastName(path)}'`)),
  };
}

function schemaErrors(validate: () => void): readonly SchemaError[] {
  try {
    validate();
    return [];
  } catch (error) {
    const { errors } = error as { errors?: SchemaError[] };
    if (!errors) throw error;
    return errors;
  }
}

/** Wraps a value such that `read` notes which of its fields are read. */
function recordingReads<T extends object>(value: T, read: Map<object, Set<string>>): T {
  const fields = read.get(value) ?? new Set();
  read.set(value, fields);
  return new Proxy(value, {
    get(target, field) {
      if (typeof field === 'string') fields.add(field);
      const inner = Reflect.get(target, field);
      return typeof inner === 'object' && inner !== null ? recordingReads(inner, read) : inner;
    },
  });
}

/** @returns pointers to the fields that were not read; none directly in a field with an error, where the validator stops */
function unread(value: unknown, read: ReadonlyMap<object, ReadonlySet<string>>, broken: ReadonlySet<string>, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]) => {
    const here = `${path}/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (!read.get(value)?.has(field)) return broken.has(path) ? [] : [here];
    return unread(inner, read, broken, here);
  });
}

function pointerParts(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function lastName(pointer: string): string {
  return pointerParts(pointer).at(-1) ?? '';
}

/** Turns a pointer such as `/spec/containers/0/name` into `spec.containers[0].name`. */
function fieldPath(pointer: string): string {
  return pointerParts(pointer)
    .map((name) => (/^\d+$/.test(name) ? `[${name}]` : `.${name}`))
    .join('')
    .replace(/^\./, '');
}
