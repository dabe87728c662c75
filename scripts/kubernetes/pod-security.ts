import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { containers, type KubeObject, type ManifestFinding, workloads } from './object.ts';

const VOLUMES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];
const SECCOMP = ['RuntimeDefault', 'Localhost'];

/**
 * Checks the restricted Pod Security Standard (https://kubernetes.io/docs/concepts/security/pod-security-standards/) and, beyond
 * it, read-only root file systems. It is stricter where that is simpler: SELinux, AppArmor and sysctls must not be set at all.
 */
export function podSecurityFindings(objects: readonly KubeObject[]): ManifestFinding[] {
  return workloads(objects).flatMap((workload) => {
    const pod = workload.template.spec;
    if (!pod) return [];
    const problems = [...ofPod(pod), ...containers(workload).flatMap((container) => ofContainer(container, pod))];
    return problems.map((problem) => ({ object: workload.object, problem: `${problem} (restricted Pod Security Standard)` }));
  });
}

/** @returns the names of the conditions that do not hold */
function unmetConditions(conditions: Record<string, boolean>): string[] {
  return Object.entries(conditions).flatMap(([problem, holds]) => (holds ? [] : [problem]));
}

function ofPod(pod: IPodSpec): string[] {
  const own = pod.securityContext;
  return [
    ...unmetConditions({
      'hostNetwork must not be set': !pod.hostNetwork,
      'hostPID must not be set': !pod.hostPID,
      'hostIPC must not be set': !pod.hostIPC,
      'securityContext.sysctls must not be set': !own?.sysctls?.length,
      'securityContext.seLinuxOptions must not be set': !own?.seLinuxOptions,
      'securityContext.appArmorProfile must not be set': !own?.appArmorProfile,
      'securityContext.windowsOptions must not be set': !own?.windowsOptions,
    }),
    ...(pod.volumes ?? []).flatMap(({ name, ...sources }) =>
      Object.keys(sources)
        .filter((source) => !VOLUMES.includes(source))
        .map((source) => `volume ${name}: '${source}' is not allowed`),
    ),
  ];
}

function ofContainer({ name, ports, securityContext: own }: IContainer, pod: IPodSpec): string[] {
  const shared = pod.securityContext;
  const added = own?.capabilities?.add ?? [];
  const problems = unmetConditions({
    'privileged must not be set': !own?.privileged,
    'allowPrivilegeEscalation must be false': own?.allowPrivilegeEscalation === false,
    'capabilities.drop must have ALL': own?.capabilities?.drop?.includes('ALL') ?? false,
    'capabilities.add must be empty, or NET_BIND_SERVICE': added.every((capability) => capability === 'NET_BIND_SERVICE'),
    'runAsNonRoot must be true': (own?.runAsNonRoot ?? shared?.runAsNonRoot) === true,
    'runAsUser must not be 0': (own?.runAsUser ?? shared?.runAsUser) !== 0,
    'seccompProfile must be RuntimeDefault or Localhost': SECCOMP.includes((own?.seccompProfile ?? shared?.seccompProfile)?.type ?? ''),
    'procMount must be Default': (own?.procMount ?? 'Default') === 'Default',
    'seLinuxOptions must not be set': !own?.seLinuxOptions,
    'appArmorProfile must not be set': !own?.appArmorProfile,
    'windowsOptions must not be set': !own?.windowsOptions,
    'hostPort must not be set': (ports ?? []).every(({ hostPort }) => !hostPort),
    'readOnlyRootFilesystem must be true': own?.readOnlyRootFilesystem === true,
  });
  return problems.map((problem) => `container ${name}: ${problem}`);
}
