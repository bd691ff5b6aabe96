import Database from 'libsql'; // or better-sqlite3
import { WebSocketServer } from 'ws';
import { openLog } from 'tablog';
import { serveMirror } from 'tablog/connect/mirror';
import { inline } from 'tablog/inline';
import { sqlite } from 'tablog/sqlite';

const { PORT = '8080', PAGE = 'https://shop.example' } = process.env;
const log = await openLog('copy', { host: inline({ store: sqlite(new Database('copy.db')) }) });
const verifyClient = ({ origin }) => origin === PAGE; // and whose cookies these are
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(PORT), verifyClient });
const topics = ['orders', 'events'];
const nameOf = ({ topic, topicId }) => `${topic}-${topicId}`; // a copy for each browser
server.on('connection', (socket) => serveMirror(log, socket, { topics, nameOf }));
