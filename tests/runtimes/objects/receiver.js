// A receiver in a Durable Object, whose records and positions are in its SQLite.
import { receiver } from 'tablog/connect/receiver';

export class Received {
  #storage;
  #receive;

  constructor({ storage }) {
    const { sql } = storage;
    sql.exec('CREATE TABLE IF NOT EXISTS events (event TEXT)');
    sql.exec('CREATE TABLE IF NOT EXISTS positions (source TEXT PRIMARY KEY, position INTEGER)');
    const position = ({ id }) =>
      sql.exec('SELECT position FROM positions WHERE source = ?', id).toArray()[0]?.position;
    this.#storage = storage;
    this.#receive = receiver({
      position,
      store(batch) {
        storage.transactionSync(() => {
          const { records, position: next } = batch.after(position(batch.source));
          for (const { value } of records) {
            sql.exec('INSERT INTO events VALUES (?)', JSON.stringify(value));
          }
          sql.exec('INSERT OR REPLACE INTO positions VALUES (?, ?)', batch.source.id, next);
        });
      },
    });
  }

  fetch(request) {
    if (new URL(request.url).pathname !== '/stored') return this.#receive(request);
    const rows = this.#storage.sql.exec('SELECT event FROM events ORDER BY rowid').toArray();
    return Response.json(rows.map(({ event }) => JSON.parse(event)));
  }
}

export default {
  fetch(request, { RECEIVED }) {
    return RECEIVED.get(RECEIVED.idFromName('all')).fetch(request);
  },
};
