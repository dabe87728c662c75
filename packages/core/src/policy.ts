import { formatDuration, parseDuration } from './duration.ts';
import { InvalidInput } from './errors.ts';

/** Says how long a session may idle. All times in ms; `null` is "never". */
export interface Policy {
  readonly name: string;
  /** Idle time before sleep. */
  readonly sleepAfter: number | null;
  /** Time asleep before delete; where `sleepAfter` is null, idle time before delete. */
  readonly deleteAfter: number | null;
  /** How long after the user's last activity background activity may postpone a deadline at most. */
  readonly backgroundCap: number;
}

/** A policy as the API and `POLICIES` have it: durations as text. */
export interface PolicyText {
  readonly sleepAfter: string;
  readonly deleteAfter: string;
  readonly backgroundCap?: string;
}

const DEFAULT_BACKGROUND_CAP = '4h';
/** The name of a policy whose values a caller gave instead of a name. */
const CUSTOM = 'custom';
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

const PRESETS: Record<string, PolicyText> = {
  aggressive: { sleepAfter: '5m', deleteAfter: '1h' },
  balanced: { sleepAfter: '15m', deleteAfter: '24h' },
  conservative: { sleepAfter: '30m', deleteAfter: '7d' },
  simple: { sleepAfter: 'never', deleteAfter: '30m' },
};

function orNever(value: unknown, field: string): number | null {
  return value === 'never' ? null : parseDuration(value, field);
}

/**
 * Parses a policy from a caller or from `POLICIES`.
 *
 * @throws InvalidInput naming the field below `field`, also for an unknown key
 */
export function parsePolicy(name: string, value: unknown, field: string): Policy {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidInput(field, "must be a policy's name or {sleepAfter, deleteAfter, backgroundCap?}");
  }
  const known = new Set(['sleepAfter', 'deleteAfter', 'backgroundCap']);
  const stranger = Object.keys(value).find((key) => !known.has(key));
  if (stranger !== undefined) throw new InvalidInput(`${field}.${stranger}`, 'is not part of a policy');
  const text = value as Partial<PolicyText>;
  return {
    name,
    sleepAfter: orNever(text.sleepAfter, `${field}.sleepAfter`),
    deleteAfter: orNever(text.deleteAfter, `${field}.deleteAfter`),
    backgroundCap: parseDuration(text.backgroundCap ?? DEFAULT_BACKGROUND_CAP, `${field}.backgroundCap`),
  };
}

/** The policies that a deployment offers: the presets, those of `POLICIES`, and the default. */
export class PolicySet {
  readonly default: Policy;
  /** The constructor's `further`, unchanged. */
  readonly further: Readonly<Record<string, unknown>>;
  readonly #byName: ReadonlyMap<string, Policy>;

  /**
   * @param further `POLICIES`: further policies by name, or presets with other values
   * @param defaultName `DEFAULT_POLICY`
   * @throws InvalidInput naming `POLICIES` or `DEFAULT_POLICY`
   */
  constructor(further: Record<string, unknown> = {}, defaultName = 'balanced') {
    const byName = new Map<string, Policy>();
    for (const [name, value] of Object.entries({ ...PRESETS, ...further })) {
      if (!NAME.test(name) || name === CUSTOM) {
        throw new InvalidInput(
          'POLICIES',
          `has a policy named ${JSON.stringify(name)}: expected letters, digits, _ and -, and not "custom"`,
        );
      }
      byName.set(name, parsePolicy(name, value, `POLICIES.${name}`));
    }
    const standard = byName.get(defaultName);
    if (!standard) throw new InvalidInput('DEFAULT_POLICY', `must be one of ${[...byName.keys()].join(', ')}`);
    this.#byName = byName;
    this.default = standard;
    this.further = further;
  }

  get(name: string): Policy | undefined {
    return this.#byName.get(name);
  }

  /**
   * Returns the policy that replaces a session's policy of the same name; null where the values are the same, or where
   * `POLICIES` does not define that name. A preset that `POLICIES` does not define changes no session, because `POLICIES` may
   * have defined it before.
   */
  successor({ name, sleepAfter, deleteAfter, backgroundCap }: Policy): Policy | null {
    const offered = Object.hasOwn(this.further, name) ? this.get(name) : undefined;
    if (!offered) return null;
    const same = offered.sleepAfter === sleepAfter && offered.deleteAfter === deleteAfter && offered.backgroundCap === backgroundCap;
    return same ? null : offered;
  }

  list(): Policy[] {
    return [...this.#byName.values()];
  }

  /** Returns every name that the policy of a new session may have. */
  names(): string[] {
    return [...this.#byName.keys(), CUSTOM];
  }

  /**
   * Returns the policy that a caller asked for: by name, by values (then named `custom`), or the default where `asked` is
   * undefined.
   *
   * @throws InvalidInput naming `policy`
   */
  resolve(asked: unknown): Policy {
    if (asked === undefined) return this.default;
    if (typeof asked !== 'string') return parsePolicy(CUSTOM, asked, 'policy');
    const found = this.get(asked);
    if (!found)
      throw new InvalidInput(
        'policy',
        `must be one of ${[...this.#byName.keys()].join(', ')}, or {sleepAfter, deleteAfter, backgroundCap?}`,
      );
    return found;
  }
}

/** Returns the policy with its durations as text, as the contract shows it. */
export function describePolicy(policy: Policy): { [Field in keyof Policy]: string } {
  return {
    name: policy.name,
    sleepAfter: policy.sleepAfter === null ? 'never' : formatDuration(policy.sleepAfter),
    deleteAfter: policy.deleteAfter === null ? 'never' : formatDuration(policy.deleteAfter),
    backgroundCap: formatDuration(policy.backgroundCap),
  };
}
