import { createServer } from 'node:http';
import { Pool } from 'pg';
import { nodeHandler, receiver } from 'tablog/connect/receiver';

const { PORT = '8080', PAGE = 'https://shop.example', DATABASE_URL } = process.env;
const db = new Pool({ connectionString: DATABASE_URL });
db.on('error', () => {}); // of an idle connection: the next request gets another one
await db.query('CREATE TABLE IF NOT EXISTS positions (source TEXT PRIMARY KEY, position BIGINT)');
await db.query('CREATE TABLE IF NOT EXISTS events (at SERIAL PRIMARY KEY, event JSONB)');

async function position({ id }) {
  const { rows } = await db.query('SELECT position FROM positions WHERE source = $1', [id]);
  return rows[0]?.position;
}

async function store(batch) {
  const { id } = batch.source;
  const client = await db.connect();
  try {
    await client.query('BEGIN');
    // Locks the row, so that two requests do not read the same position.
    await client.query('INSERT INTO positions VALUES ($1, NULL) ON CONFLICT DO NOTHING', [id]);
    const lock = 'SELECT position FROM positions WHERE source = $1 FOR UPDATE';
    const { rows } = await client.query(lock, [id]);
    const { records, position: next } = batch.after(rows[0].position);
    const values = records.map(({ value }) => JSON.stringify(value));
    await client.query('INSERT INTO events (event) SELECT unnest($1::jsonb[])', [values]);
    await client.query('UPDATE positions SET position = $2 WHERE source = $1', [id, next]);
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    client.release(true); // ends the connection, and with it the transaction
    throw error;
  }
}

createServer(nodeHandler(receiver({ position, store, origins: [PAGE] }))).listen(Number(PORT));
