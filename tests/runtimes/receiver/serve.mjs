// A receiver by the server of the runtime that runs this: of Node, Bun or Deno. Prints its port.
import { nodeHandler, receiver } from 'tablog/connect/receiver';

const positions = new Map();
const values = [];
const receive = receiver({
  position: ({ id }) => positions.get(id),
  store(batch) {
    const { records, position } = batch.after(positions.get(batch.source.id));
    values.push(...records.map(({ value }) => value));
    positions.set(batch.source.id, position);
  },
});
const handle = async (request) =>
  new URL(request.url).pathname === '/stored' ? Response.json(values) : receive(request);

if (globalThis.Bun !== undefined) {
  console.log(Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: handle }).port);
} else if (globalThis.Deno !== undefined) {
  const onListen = ({ port }) => console.log(port);
  Deno.serve({ port: 0, hostname: '127.0.0.1', onListen }, handle);
} else {
  const { createServer } = await import('node:http');
  const server = createServer(nodeHandler(handle));
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}
