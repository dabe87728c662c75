import { containers, type KubeObject, type ManifestFinding, workloads } from './object.ts';

/** How long a Sandman process may drain, in seconds (packages/runtime/src/process.ts). */
const DRAIN_SECONDS = 25;

/** Checks that pods have the time to drain, probes, requests for CPU and memory, and a limit for memory. */
export function podHealthFindings(objects: readonly KubeObject[]): ManifestFinding[] {
  return workloads(objects).flatMap((workload) => {
    // 30 s is the default of Kubernetes.
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
