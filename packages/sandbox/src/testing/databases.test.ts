import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { expect, it } from 'vitest';
import { postgresInProcess } from './databases.ts';

/** Makes a query whose first two messages arrive 200 ms before the others. It ends with the rows it got, or an error. */
function slowQuery() {
  const { promise: rows, resolve, reject } = Promise.withResolvers<number>();
  let count = 0;
  return {
    rows,
    submit(messages: pg.Connection) {
      messages.parse({ name: '', text: 'select 1', types: [] }, true);
      messages.bind({}, true);
      setTimeout(() => {
        messages.execute({}, true);
        messages.sync();
      }, 200);
    },
    handleDataRow: () => count++,
    handleError: reject,
    handleCommandComplete: () => {},
    handleReadyForQuery: () => resolve(count),
  };
}

it('a query whose messages arrive one by one is not disturbed by another connection', async ({ onTestFinished }) => {
  const database = await postgresInProcess().create();
  onTestFinished(() => database.drop());
  const [slow, other] = await Promise.all(
    [0, 1].map(async () => {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      return client;
    }),
  );
  const query = slowQuery();
  slow!.query(query);
  // Gives the server the time to process its first messages.
  await pause(100);
  expect(await other!.query('select $1::int as two', [2])).toMatchObject({ rows: [{ two: 2 }] });
  expect(await query.rows).toBe(1);
  await Promise.all([slow, other].map((client) => client!.end()));
});
