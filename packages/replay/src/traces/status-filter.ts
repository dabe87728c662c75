import { InvalidInput } from '@sandman/core';

/**
 * Parses which statuses count, such as `2xx` or `2xx,101,304`.
 *
 * @param field the name of the setting, for the error
 * @throws InvalidInput
 */
export function parseStatusFilter(text: string, field: string): (status: number) => boolean {
  const forms = text.split(',');
  if (!forms.every((form) => /^[1-5](?:xx|\d\d)$/.test(form))) {
    throw new InvalidInput(field, 'must be statuses such as 2xx or 2xx,101,304');
  }
  const counting = new Set<number>();
  for (let status = 100; status < 600; status++) {
    if (forms.some((form) => form === `${status}` || form === `${`${status}`[0]}xx`)) counting.add(status);
  }
  return (status) => counting.has(status);
}
