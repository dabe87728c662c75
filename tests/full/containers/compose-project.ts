import { randomUUID } from 'node:crypto';
import { freePort } from '@sandman/sandbox';
import { DockerComposeEnvironment, type StartedDockerComposeEnvironment } from 'testcontainers';
import type { SessionBody } from '../../stack.ts';
import { docker, ROOT } from './docker.ts';

/** The version tag of images that these tests build, so that other images stay untouched. */
const VERSION = 'test';

const API_KEY = `api-key-${randomUUID()}`;
const SIM_KEY = `session-manager-key-${randomUUID()}`;

export interface ComposeProjectOptions {
  /** Compose files in addition to docker-compose.yml. */
  readonly files?: readonly string[];
  /** The services to start; all by default. */
  readonly services?: readonly string[];
}

/** Runs the compose file as a project of its own, on ports of its own. */
export class ComposeProject {
  readonly project = `sandman-test-${randomUUID().slice(0, 8)}`;
  readonly env: Readonly<Record<string, string>>;
  readonly #files: readonly string[];
  #started: StartedDockerComposeEnvironment | undefined;

  private constructor(files: readonly string[], [api, dashboard, sim, redis]: readonly number[]) {
    this.#files = ['docker-compose.yml', ...files];
    this.env = {
      SANDMAN_VERSION: VERSION,
      API_PORT: `${api}`,
      DASHBOARD_PORT: `${dashboard}`,
      SIM_PORT: `${sim}`,
      REDIS_PORT: `${redis}`,
      API_KEYS: API_KEY,
      SESSION_MANAGER_URL: 'http://session-manager:4000',
      SESSION_MANAGER_API_KEY: SIM_KEY,
      DASHBOARD_USER: 'olga',
      DASHBOARD_PASSWORD: `password-${randomUUID()}`,
      POSTGRES_PASSWORD: `password-${randomUUID()}`,
      // A doubt lasts as long as these two together.
      SESSION_MANAGER_TIMEOUT: '5s',
      LATE_EFFECT_BOUND: '2s',
    };
  }

  /** Runs `docker compose --profile demo up --wait --build`; returns once everything is healthy. */
  static async up({ files = [], services }: ComposeProjectOptions = {}): Promise<ComposeProject> {
    const composed = new ComposeProject(files, await Promise.all([freePort(), freePort(), freePort(), freePort()]));
    await composed.upAgain(['--build'], services);
    return composed;
  }

  /** Runs `up --wait` again with further options. */
  async upAgain(options: readonly string[], services?: readonly string[]): Promise<void> {
    this.#started = await new DockerComposeEnvironment(ROOT, [...this.#files])
      .withProjectName(this.project)
      .withProfiles('demo')
      .withEnvironment({ ...this.env })
      .withClientOptions({ commandOptions: ['--wait', ...options] })
      .up(services && [...services]);
  }

  async down(): Promise<void> {
    await this.#started?.down({ removeVolumes: true, timeout: 10_000 });
  }

  /** Returns the ids of a service's containers. */
  async containers(service: string): Promise<string[]> {
    const label = (name: string, value: string) => ['--filter', `label=com.docker.compose.${name}=${value}`];
    const ids = await docker(['ps', '--quiet', '--no-trunc', ...label('project', this.project), ...label('service', service)]);
    return ids.split('\n').filter(Boolean);
  }

  /** The environment for compose itself, or for a script that calls it. */
  get shell(): Record<string, string> {
    return { ...this.env, COMPOSE_FILE: this.#files.join(':'), COMPOSE_PROJECT_NAME: this.project, COMPOSE_PROFILES: 'demo' };
  }

  get secrets(): string[] {
    return Object.entries(this.env).flatMap(([name, value]) => (/KEY|PASSWORD/.test(name) ? [value] : []));
  }

  get api(): string {
    return `http://127.0.0.1:${this.env.API_PORT}`;
  }

  get dashboard(): string {
    return `http://127.0.0.1:${this.env.DASHBOARD_PORT}`;
  }

  get redis(): string {
    return `redis://127.0.0.1:${this.env.REDIS_PORT}`;
  }

  async call<T = SessionBody>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const answer = await fetch(this.api + path, {
      method,
      headers: { 'x-api-key': API_KEY, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as T };
  }

  async create(userId: string, policy: unknown): Promise<string> {
    const { status, body } = await this.call('POST', '/v1/sessions', { userId, policy });
    if (status !== 201) throw new Error(`create answered ${status}: ${JSON.stringify(body)}`);
    return body.uuid;
  }

  /** Returns the status of a session, or `deleted` if it is gone. */
  async status(uuid: string): Promise<string> {
    const { status, body } = await this.call('GET', `/v1/sessions/${uuid}`);
    return status === 410 ? 'deleted' : body.status;
  }

  /** Returns the calls that the session-manager received for a session, without status reads. */
  async calls(uuid: string): Promise<string[]> {
    const answer = await fetch(`http://127.0.0.1:${this.env.SIM_PORT}/sim/journal`, { headers: { 'x-api-key': SIM_KEY } });
    const { items } = (await answer.json()) as { items: { uuid: string; call: string }[] };
    return items.filter((item) => item.uuid === uuid && item.call !== 'status').map(({ call }) => call);
  }

  /** Returns the session's replicas as the session-manager reports them, or null if there is no pod. */
  async replicas(uuid: string): Promise<number | null> {
    const answer = await fetch(`http://127.0.0.1:${this.env.SIM_PORT}/session/${uuid}/status`, { headers: { 'x-api-key': SIM_KEY } });
    return answer.status === 404 ? null : ((await answer.json()) as { replicas: number }).replicas;
  }
}
