import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { type KubeObject, type ManifestFinding, ofKind } from './object.ts';

/** The metadata of a trigger, which KEDA's schema leaves open (https://keda.sh/docs/latest/scalers/prometheus/). */
const TRIGGERS: Record<string, { readonly required: readonly string[]; readonly optional: readonly string[] }> = {
  prometheus: {
    required: ['serverAddress', 'query', 'threshold'],
    optional: [
      'activationThreshold',
      'authModes',
      'awsRegion',
      'customHeaders',
      'identityOwner',
      'ignoreNullValues',
      'namespace',
      'queryParameters',
      'timeout',
      'unsafeSsl',
    ],
  },
};

/**
 * Checks that the target of each autoscaler exists, has no other autoscaler, and does not set `replicas`, and that KEDA knows
 * the metadata of each trigger.
 */
export function scalingFindings(objects: readonly KubeObject[]): ManifestFinding[] {
  const scaledObjects = ofKind<IScaledObject>(objects, 'ScaledObject');
  const scalers = [
    ...ofKind<IHorizontalPodAutoscaler>(objects, 'HorizontalPodAutoscaler').map((object) => ({
      object,
      target: object.spec?.scaleTargetRef,
    })),
    ...scaledObjects.map((object) => ({ object, target: object.spec?.scaleTargetRef })),
  ];
  const taken = new Map<KubeObject, string>();
  const findings: ManifestFinding[] = [];
  for (const { object, target } of scalers) {
    const find = (problem: string) => findings.push({ object, problem });
    const { kind = 'Deployment', name } = target ?? {};
    const scaled = objects.find(
      (other) => other.kind === kind && other.metadata.name === name && other.metadata.namespace === object.metadata.namespace,
    );
    if (!scaled) {
      find(`scaleTargetRef: there is no ${kind} '${name}'`);
      continue;
    }
    const other = taken.get(scaled);
    if (other) find(`scaleTargetRef: ${other} scales ${kind} '${name}' already`);
    taken.set(scaled, `${object.kind} '${object.metadata.name}'`);
    if ((scaled.spec as { replicas?: number }).replicas !== undefined) {
      find(`scaleTargetRef: ${kind} '${name}' sets replicas, which each apply would set back`);
    }
  }
  return [...findings, ...scaledObjects.flatMap((object) => triggerProblems(object).map((problem) => ({ object, problem })))];
}

function triggerProblems({ spec }: IScaledObject): string[] {
  return (spec?.triggers ?? []).flatMap(({ type, metadata }, index) => {
    const at = `spec.triggers[${index}]`;
    const known = TRIGGERS[type];
    if (!known) return [`${at}.type: the metadata of '${type}' are not known`];
    return [
      ...known.required.filter((key) => !metadata[key]).map((key) => `${at}.metadata: '${key}' is missing`),
      ...Object.keys(metadata)
        .filter((key) => !known.required.includes(key) && !known.optional.includes(key))
        .map((key) => `${at}.metadata: unknown field '${key}'`),
    ];
  });
}
