/** What Redis says to a user without the permission or the password. Waiting does not help; an operator has to act. */
const REDIS_REFUSES = /^(NOPERM|NOAUTH|WRONGPASS)\b|ACL failure in script/;

/** What ioredis and Redis say when Redis cannot be reached, or cannot serve. */
const REDIS_AWAY =
  /Connection is (?:closed|aborted|discarded)|aborted due to connection close|(?:Cluster|Node) is disconnect|Cluster is ended|No master node is available|Stream isn't writeable|Command timed out|max retries per request|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|Cluster isn't ready|startup nodes|Cluster redirections|slots allocation group|^(LOADING|READONLY|CLUSTERDOWN|MOVED|ASK|MASTERDOWN|TRYAGAIN|MISCONF|OOM|NOREPLICAS|BUSY|UNBLOCKED)\b/i;

/**
 * What an error says about Redis.
 *
 * @returns `refuses`: the user of this process lacks permissions, or its password is wrong; `away`: Redis cannot be reached
 *   or cannot serve now; null: nothing
 */
export function redisTrouble(error: Error & { readonly code?: string }): 'refuses' | 'away' | null {
  if (REDIS_REFUSES.test(error.message)) return 'refuses';
  const text = `${error.message} ${error.code ?? ''} ${error.cause instanceof Error ? error.cause.message : ''}`;
  return REDIS_AWAY.test(text) ? 'away' : null;
}
