import { containers, type Finding, type KubeObject, workloads } from './object.ts';

/** How long a process of ours may drain, in seconds (packages/runtime/src/process.ts). */
const DRAIN_SECONDS = 25;

/** Pods that are given the time to drain, are asked how they are, and have the memory that they may take. */
export function upkeepFindings(objects: readonly KubeObject[]): Finding[] {
  return workloads(objects).flatMap((workload) => {
    // 30: what Kubernetes gives where nobody says.
    const grace = workload.template.spec?.terminationGracePeriodSeconds ?? 30;
    const problems = grace > DRAIN_SECONDS ? [] : [`terminationGracePeriodSeconds must be over the ${DRAIN_SECONDS} s of a drain`];
    for (const { name, resources } of containers(workload)) {
      for (const wanted of ['cpu', 'memory']) {
        if (!resources?.requests?.[wanted]) problems.push(`container ${name}: resources.requests.${wanted} is missing`);
      }
      if (!resources?.limits?.memory) problems.push(`container ${name}: resources.limits.memory is missing`);
    }
    for (const { name, livenessProbe, readinessProbe } of workload.template.spec?.containers ?? []) {
      if (!livenessProbe) problems.push(`container ${name}: livenessProbe is missing`);
      if (!readinessProbe) problems.push(`container ${name}: readinessProbe is missing`);
    }
    return problems.map((problem) => ({ object: workload.object, problem }));
  });
}
