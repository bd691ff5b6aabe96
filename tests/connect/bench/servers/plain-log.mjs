// Appends each batch that a web socket brings to a log in SQLite, as durable as a mirror's, and acks it.
import Database from 'libsql';
import { WebSocketServer } from 'ws';
import { json, openLog, topic } from 'tablog';
import { inline } from 'tablog/inline';
import { sqlite } from 'tablog/sqlite';

const { PORT, PAGE, PARTITIONS } = process.env;
const log = await openLog('copy', { host: inline({ store: sqlite(new Database('copy.db')) }) });
const topics = ['orders', 'events'].map((name) =>
  topic(name, { value: json(), partitions: Number(PARTITIONS) }),
);
await log.admin.createTopics(topics);
const producer = log.producer({ durability: 'strict', lingerMs: 0 });
const verifyClient = ({ origin }) => origin === PAGE;
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(PORT), verifyClient });
server.on('connection', (socket) => {
  socket.on('message', (/** @type {Buffer} */ data) => {
    void append(JSON.parse(data.toString())).then((id) => socket.send(String(id)));
  });
});

async function append({ id, topic: name, partition, records }) {
  const to = topics.find((each) => each.name === name);
  await producer.sendBatch(
    to,
    records.map(({ value, timestamp }) => ({ partition, value, timestamp })),
  );
  return id;
}
