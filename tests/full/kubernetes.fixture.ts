type Operation = readonly ['add' | 'replace' | 'remove', path: string, value?: unknown];

/** A mistake in an overlay that builds on a sound one. */
export interface Broken {
  readonly overlay?: 'dev' | 'production';
  readonly components?: readonly string[];
  /** Kind and name of the object that the operations change. */
  readonly of?: readonly [kind: string, name: string];
  readonly patch?: readonly Operation[];
  readonly literals?: readonly string[];
  /** An additional object in the overlay. */
  readonly beside?: object;
  /** The line that the check must print. */
  readonly says: string;
}

const API = ['Deployment', 'sandman-api'] as const;
export const WORKER = ['Deployment', 'sandman-worker'] as const;
const DASHBOARD = ['Deployment', 'sandman-dashboard'] as const;
const SCALED = ['ScaledObject', 'sandman-worker'] as const;
const POD = '/spec/template/spec';
export const CONTAINER = `${POD}/containers/0`;
export const RESTRICTED = '(restricted Pod Security Standard)';

/** Mistakes that operators may make in an overlay, and the one line that the check must print for each. */
export const BROKEN: Record<string, Broken> = {
  'an unknown field of a spec': {
    of: WORKER,
    patch: [['add', '/spec/revisionHistroyLimit', 3]],
    says: "Deployment/sandman-worker: spec.revisionHistroyLimit: unknown field 'revisionHistroyLimit'",
  },
  'an unknown field deep in a container': {
    of: API,
    patch: [['add', `${CONTAINER}/livenessProbe/httpGet/prot`, 'http']],
    says: "Deployment/sandman-api: spec.template.spec.containers[0].livenessProbe.httpGet.prot: unknown field 'prot'",
  },
  'an unknown field of an object': {
    of: ['PodDisruptionBudget', 'sandman-api'],
    patch: [['add', '/sepc', {}]],
    says: "PodDisruptionBudget/sandman-api: sepc: unknown field 'sepc'",
  },
  'a wrong type': {
    of: API,
    patch: [['replace', `${CONTAINER}/ports/0/containerPort`, '3000']],
    says: 'Deployment/sandman-api: spec.template.spec.containers[0].ports[0].containerPort: must be integer',
  },
  'a field that must be there': {
    of: API,
    patch: [['remove', '/spec/selector']],
    says: 'Deployment/sandman-api: spec: must have required property selector',
  },
  'an unknown field of a ScaledObject': {
    of: SCALED,
    patch: [['add', '/spec/maxReplicas', 5]],
    says: "ScaledObject/sandman-worker: spec.maxReplicas: unknown field 'maxReplicas'",
  },
  'a wrong type in a ScaledObject': {
    of: SCALED,
    patch: [['replace', '/spec/triggers/0/metadata/threshold', 50]],
    says: 'ScaledObject/sandman-worker: spec.triggers[0].metadata.threshold: must be string',
  },
  'an unknown setting of the Prometheus trigger': {
    of: SCALED,
    patch: [['add', '/spec/triggers/0/metadata/treshold', '50']],
    says: "ScaledObject/sandman-worker: spec.triggers[0].metadata: unknown field 'treshold'",
  },
  'a missing setting of the Prometheus trigger': {
    of: SCALED,
    patch: [['remove', '/spec/triggers/0/metadata/query']],
    says: "ScaledObject/sandman-worker: spec.triggers[0].metadata: 'query' is missing",
  },
  'an unknown field of a ServiceMonitor': {
    of: ['ServiceMonitor', 'sandman-api'],
    patch: [['add', '/spec/endpoints/0/intervall', '15s']],
    says: "ServiceMonitor/sandman-api: spec.endpoints[0].intervall: unknown field 'intervall'",
  },
  'an unknown kind': {
    beside: { apiVersion: 'example.com/v1', kind: 'CronTab', metadata: { name: 'tab' } },
    says: "CronTab/tab: no schema is known for kind 'CronTab' of apiVersion 'example.com/v1'",
  },
  'a misspelt environment variable': {
    of: WORKER,
    patch: [['add', `${CONTAINER}/env/-`, { name: 'WORKER_CONCURENCY', value: '80' }]],
    says: "Deployment/sandman-worker: container worker: 'WORKER_CONCURENCY' is no variable that it reads",
  },
  'a secret for a process that does not read it': {
    of: DASHBOARD,
    patch: [['add', `${CONTAINER}/env/-`, { name: 'API_KEYS', valueFrom: { secretKeyRef: { name: 'sandman', key: 'API_KEYS' } } }]],
    says: "Deployment/sandman-dashboard: container dashboard: 'API_KEYS' is no variable that it reads",
  },
  'all secrets at once': {
    of: DASHBOARD,
    patch: [['add', `${CONTAINER}/envFrom`, [{ secretRef: { name: 'sandman' } }]]],
    says: 'Deployment/sandman-dashboard: container dashboard: envFrom must not be used: each variable by its name',
  },
  'a required variable that is missing': {
    of: DASHBOARD,
    patch: [['remove', `${CONTAINER}/env/0`]],
    says: "Deployment/sandman-dashboard: container dashboard: REDIS_URL is missing: it must be redis://… or rediss://… with one server's address or several of a Cluster, or redis+sentinel://…/NAME",
  },
  'a malformed setting': {
    literals: ['LATE_EFFECT_BOUND=30 seconds'],
    says: 'Deployment/sandman-worker: container worker: LATE_EFFECT_BOUND is malformed: it must be a duration such as 500ms, 30s or 5m, from 1ms to 365d',
  },
  'a misspelt setting': {
    literals: ['LOG_LEVLE=debug'],
    says: "ConfigMap/sandman-*: no container takes its key 'LOG_LEVLE'",
  },
  'a key that the generated Secret does not have': {
    overlay: 'dev',
    of: DASHBOARD,
    patch: [['replace', `${CONTAINER}/env/0/valueFrom/secretKeyRef/key`, 'redis-url']],
    says: "Deployment/sandman-dashboard: container dashboard: REDIS_URL: Secret 'sandman-*' has no key 'redis-url'",
  },
  'a ConfigMap that is not there': {
    of: DASHBOARD,
    patch: [['add', `${CONTAINER}/env/-`, { name: 'HOST', valueFrom: { configMapKeyRef: { name: 'other', key: 'HOST' } } }]],
    says: "Deployment/sandman-dashboard: container dashboard: HOST: there is no ConfigMap 'other'",
  },
  "a container of ours that is not called by its app's name": {
    of: DASHBOARD,
    patch: [['replace', `${CONTAINER}/name`, 'page']],
    says: "Deployment/sandman-dashboard: container page: 'page' is no folder of apps/",
  },
  'a privileged container': {
    of: API,
    patch: [['add', `${CONTAINER}/securityContext/privileged`, true]],
    says: `Deployment/sandman-api: container api: privileged must not be set ${RESTRICTED}`,
  },
  'a container that may run as root': {
    of: API,
    patch: [['remove', `${POD}/securityContext/runAsNonRoot`]],
    says: `Deployment/sandman-api: container api: runAsNonRoot must be true ${RESTRICTED}`,
  },
  'a container that keeps its capabilities': {
    of: API,
    patch: [['replace', `${CONTAINER}/securityContext/capabilities/drop`, ['NET_RAW']]],
    says: `Deployment/sandman-api: container api: capabilities.drop must have ALL ${RESTRICTED}`,
  },
  'a container that can write to its image': {
    of: API,
    patch: [['remove', `${CONTAINER}/securityContext/readOnlyRootFilesystem`]],
    says: `Deployment/sandman-api: container api: readOnlyRootFilesystem must be true ${RESTRICTED}`,
  },
  'a volume of the node': {
    of: API,
    patch: [['add', `${POD}/volumes`, [{ name: 'node', hostPath: { path: '/' } }]]],
    says: `Deployment/sandman-api: volume node: 'hostPath' is not allowed ${RESTRICTED}`,
  },
  "the node's network": {
    of: WORKER,
    patch: [['add', `${POD}/hostNetwork`, true]],
    says: `Deployment/sandman-worker: hostNetwork must not be set ${RESTRICTED}`,
  },
  'less time than a drain takes': {
    of: WORKER,
    patch: [['replace', `${POD}/terminationGracePeriodSeconds`, 25]],
    says: 'Deployment/sandman-worker: terminationGracePeriodSeconds must be over the 25 s of a drain',
  },
  'no limit of memory': {
    of: WORKER,
    patch: [['remove', `${CONTAINER}/resources/limits`]],
    says: 'Deployment/sandman-worker: container worker: resources.limits.memory is missing',
  },
  'a misspelt resource': {
    of: WORKER,
    patch: [['replace', `${CONTAINER}/resources/requests`, { cpu: '1', memroy: '256Mi' }]],
    says: 'Deployment/sandman-worker: container worker: resources.requests.memory is missing',
  },
  'a Deployment without a readiness probe': {
    of: WORKER,
    patch: [['remove', `${CONTAINER}/readinessProbe`]],
    says: 'Deployment/sandman-worker: container worker: readinessProbe is missing',
  },
  'a probe of a port that the container does not have': {
    of: WORKER,
    patch: [['replace', `${CONTAINER}/readinessProbe/httpGet/port`, 'http']],
    says: "Deployment/sandman-worker: container worker: a probe asks port 'http', which it does not have",
  },
  'a Service that selects no pod': {
    of: ['Service', 'sandman-dashboard'],
    patch: [['replace', '/spec/selector', { app: 'dashboard' }]],
    says: 'Service/sandman-dashboard: spec.selector selects no pods',
  },
  'a Service to a port that no pod has': {
    of: ['Service', 'sandman-dashboard'],
    patch: [['replace', '/spec/ports/0/targetPort', 'web']],
    says: "Service/sandman-dashboard: targetPort: no selected pod has a port 'web'",
  },
  'a Deployment that does not select its own pods': {
    of: DASHBOARD,
    patch: [['add', '/spec/selector/matchLabels/tier', 'web']],
    says: "Deployment/sandman-dashboard: spec.selector does not select the template's own pods",
  },
  'pods that are not spread': {
    of: API,
    patch: [['replace', `${POD}/topologySpreadConstraints/0/labelSelector/matchLabels`, { app: 'api' }]],
    says: "Deployment/sandman-api: topologySpreadConstraints: that over topology.kubernetes.io/zone does not select the template's own pods",
  },
  'a PodDisruptionBudget for nobody': {
    of: ['PodDisruptionBudget', 'sandman-worker'],
    patch: [['replace', '/spec/selector/matchLabels', { app: 'worker' }]],
    says: 'PodDisruptionBudget/sandman-worker: spec.selector selects no pods',
  },
  'a NetworkPolicy for nobody': {
    of: ['NetworkPolicy', 'sandman-to-redis'],
    patch: [['replace', '/spec/podSelector/matchExpressions/0/values', ['sandman']]],
    says: 'NetworkPolicy/sandman-to-redis: spec.podSelector selects no pods',
  },
  'a NetworkPolicy to nobody': {
    overlay: 'dev',
    of: ['NetworkPolicy', 'sandman-to-redis'],
    patch: [['replace', '/spec/egress/0/to/0/podSelector/matchLabels', { app: 'redis' }]],
    says: `NetworkPolicy/sandman-to-redis: a peer's podSelector selects no pods: {"matchLabels":{"app":"redis"}}`,
  },
  'a NetworkPolicy for a port that nobody has': {
    overlay: 'dev',
    of: ['NetworkPolicy', 'sandman-to-redis'],
    patch: [['replace', '/spec/egress/0/ports/0/port', 6380]],
    says: "NetworkPolicy/sandman-to-redis: port: no selected pod has a port '6380'",
  },
  'a ServiceMonitor of no Service': {
    of: ['ServiceMonitor', 'sandman-worker'],
    patch: [['replace', '/spec/selector/matchLabels', { app: 'worker' }]],
    says: 'ServiceMonitor/sandman-worker: spec.selector selects no Service',
  },
  'a ServiceMonitor of a port that its Service does not have': {
    of: ['ServiceMonitor', 'sandman-worker'],
    patch: [['replace', '/spec/endpoints/0/port', 'http']],
    says: "ServiceMonitor/sandman-worker: endpoints: port 'http' is none of its Services'",
  },
  'a scaler of nothing': {
    of: SCALED,
    patch: [['replace', '/spec/scaleTargetRef/name', 'worker']],
    says: "ScaledObject/sandman-worker: scaleTargetRef: there is no Deployment 'worker'",
  },
  'replicas beside a scaler': {
    of: WORKER,
    patch: [['add', '/spec/replicas', 3]],
    says: "ScaledObject/sandman-worker: scaleTargetRef: Deployment 'sandman-worker' sets replicas, which each apply would set back",
  },
  'two scalers of one Deployment': {
    components: ['worker-hpa'],
    says: "ScaledObject/sandman-worker: scaleTargetRef: HorizontalPodAutoscaler 'sandman-worker' scales Deployment 'sandman-worker' already",
  },
};
