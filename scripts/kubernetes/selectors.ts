import type { IServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IService } from 'kubernetes-models/v1/Service';
import { containers, type KubeObject, type KubeWorkload, type ManifestFinding, ofKind, workloads } from './object.ts';

type LabelSelector = NonNullable<NonNullable<IPodDisruptionBudget['spec']>['selector']>;
type Labels = Readonly<Record<string, string>>;

function selects({ matchLabels, matchExpressions }: LabelSelector, labels: Labels = {}): boolean {
  return (
    Object.entries(matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (matchExpressions ?? []).every(({ key, operator, values }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      const among = value !== undefined && (values ?? []).includes(value);
      return operator === 'In' ? among : operator === 'NotIn' && !among;
    })
  );
}

/** Finds selectors that select none of the rendered objects, and ports that no selected object has. */
export function selectorFindings(objects: readonly KubeObject[]): ManifestFinding[] {
  const all = workloads(objects);
  const services = ofKind<IService>(objects, 'Service');
  const pods = (from: KubeObject, selector: LabelSelector) =>
    all.filter(
      ({ object, template }) => object.metadata.namespace === from.metadata.namespace && selects(selector, template.metadata?.labels),
    );

  const ofService = (service: IService & KubeObject) => {
    if (!service.spec?.selector) return [];
    const backing = pods(service, { matchLabels: service.spec.selector });
    if (backing.length === 0) return ['spec.selector selects no pods'];
    return (service.spec.ports ?? []).flatMap(({ port, targetPort }) => portProblems('targetPort', targetPort ?? port, backing));
  };

  const ofPolicy = (networkPolicy: INetworkPolicy & KubeObject) => {
    const { spec } = networkPolicy;
    const own = pods(networkPolicy, spec?.podSelector ?? {});
    const peers = (list: readonly { podSelector?: LabelSelector; namespaceSelector?: LabelSelector }[] = []) =>
      list.filter(({ namespaceSelector }) => !namespaceSelector).flatMap(({ podSelector }) => (podSelector ? [podSelector] : []));
    const strangers = [
      ...(spec?.ingress ?? []).flatMap(({ from }) => peers(from)),
      ...(spec?.egress ?? []).flatMap(({ to }) => peers(to)),
    ].filter((selector) => pods(networkPolicy, selector).length === 0);
    return [
      ...(own.length === 0 ? ['spec.podSelector selects no pods'] : []),
      ...strangers.map((selector) => `a peer's podSelector selects no pods: ${JSON.stringify(selector)}`),
      ...(spec?.ingress ?? []).flatMap(({ ports }) => (ports ?? []).flatMap(({ port }) => portProblems('port', port, own))),
      ...(spec?.egress ?? []).flatMap(({ ports, to }) => {
        const called = peers(to).flatMap((selector) => pods(networkPolicy, selector));
        return called.length === 0 ? [] : (ports ?? []).flatMap(({ port }) => portProblems('port', port, called));
      }),
    ];
  };

  const ofMonitor = ({ metadata, spec }: IServiceMonitor & KubeObject) => {
    const watched = services.filter(
      (service) => service.metadata.namespace === metadata.namespace && selects(spec.selector, service.metadata.labels),
    );
    if (watched.length === 0) return ['spec.selector selects no Service'];
    const known = watched.flatMap((service) => (service.spec?.ports ?? []).map(({ name }) => name));
    return spec.endpoints.flatMap(({ port }) =>
      port && !known.includes(port) ? [`endpoints: port '${port}' is none of its Services'`] : [],
    );
  };

  const find = (object: KubeObject, problems: readonly string[]) => problems.map((problem): ManifestFinding => ({ object, problem }));
  return [
    ...services.flatMap((service) => find(service, ofService(service))),
    ...ofKind<IPodDisruptionBudget>(objects, 'PodDisruptionBudget').flatMap((budget) =>
      find(budget, pods(budget, budget.spec?.selector ?? {}).length === 0 ? ['spec.selector selects no pods'] : []),
    ),
    ...ofKind<INetworkPolicy>(objects, 'NetworkPolicy').flatMap((networkPolicy) => find(networkPolicy, ofPolicy(networkPolicy))),
    ...ofKind<IServiceMonitor>(objects, 'ServiceMonitor').flatMap((monitor) => find(monitor, ofMonitor(monitor))),
    ...all.flatMap((workload) => find(workload.object, [...ownSelectors(workload), ...probePorts(workload)])),
  ];
}

/** Reports a port, given by name or number, that none of these pods declares. */
function portProblems(field: string, port: number | string | undefined, among: readonly KubeWorkload[]): string[] {
  const declared = among.flatMap(containers).flatMap(({ ports }) => ports ?? []);
  const known = declared.some(({ name, containerPort }) => port === name || port === containerPort);
  return port === undefined || among.length === 0 || known ? [] : [`${field}: no selected pod has a port '${port}'`];
}

/** Checks the selectors by which a workload refers to its own pods. */
function ownSelectors({ object, template }: KubeWorkload): string[] {
  const { selector } = (object.spec ?? {}) as { selector?: LabelSelector };
  const misses = (own: LabelSelector | undefined) => own && !selects(own, template.metadata?.labels);
  return [
    ...(misses(selector) ? ["spec.selector does not select the template's own pods"] : []),
    ...(template.spec?.topologySpreadConstraints ?? [])
      .filter(({ labelSelector }) => misses(labelSelector))
      .map(({ topologyKey }) => `topologySpreadConstraints: that over ${topologyKey} does not select the template's own pods`),
  ];
}

function probePorts(workload: KubeWorkload): string[] {
  return containers(workload).flatMap(({ name, ports, startupProbe, livenessProbe, readinessProbe }) =>
    [startupProbe, livenessProbe, readinessProbe].flatMap((probe) => {
      const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
      const known = (ports ?? []).some((declared) => port === declared.name || port === declared.containerPort);
      return port === undefined || known ? [] : [`container ${name}: a probe asks port '${port}', which it does not have`];
    }),
  );
}
