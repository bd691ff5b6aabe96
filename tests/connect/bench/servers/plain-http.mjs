// The queue of README without positions: inserts each batch in one transaction.
import Database from 'libsql';
import { servePosts } from './post-server.mjs';

const db = new Database('events.db');
db.exec('PRAGMA busy_timeout = 5000');
db.exec('CREATE TABLE IF NOT EXISTS events (event TEXT)');
const add = db.prepare('INSERT INTO events VALUES (?)');
const store = db.transaction((records) => {
  for (const { value } of records) add.run(JSON.stringify(value));
});
servePosts((records) => store.immediate(records));
