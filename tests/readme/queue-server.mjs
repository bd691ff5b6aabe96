import { createServer } from 'node:http';
import Database from 'libsql'; // or better-sqlite3, or DatabaseSync of node:sqlite
import { nodeHandler, sqliteReceiver } from 'tablog/connect/receiver';
const { PORT = '8080', PAGE = 'https://shop.example' } = process.env;
const database = new Database('events.db');
database.exec('CREATE TABLE IF NOT EXISTS events (event TEXT)');
const add = database.prepare('INSERT INTO events VALUES (?)');
const store = (records) => records.forEach(({ value }) => add.run(JSON.stringify(value)));
const handle = sqliteReceiver({ database, store, origins: [PAGE] });
createServer(nodeHandler(handle)).listen(Number(PORT), '127.0.0.1');
