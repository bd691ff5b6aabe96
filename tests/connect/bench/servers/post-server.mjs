import { createServer } from 'node:http';

const { PORT, PAGE } = process.env;
const CORS = {
  'access-control-allow-origin': PAGE,
  'access-control-allow-methods': 'POST',
  'access-control-allow-headers': 'content-type',
  'access-control-max-age': '7200',
};

/** Answers posts of JSON arrays to `/topic/partition` when `store` has them. */
export function servePosts(store) {
  createServer((request, response) => {
    answer(request, store).then(
      () => response.writeHead(204, CORS).end(),
      (/** @type {unknown} */ error) => {
        console.error(error);
        response.writeHead(500, CORS).end();
      },
    );
  }).listen(Number(PORT), '127.0.0.1');
}

async function answer(request, store) {
  if (request.method !== 'POST') return;
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) text += chunk;
  const [, topic, partition] = request.url.split('/');
  await store(JSON.parse(text), { topic, partition: Number(partition) });
}
