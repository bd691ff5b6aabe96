import { connect, httpSink } from '../../../../src/connect.ts';
import type { Connector, Sink } from '../../../../src/connect.ts';
import { durableStreamsSink } from '../../../../src/durable-streams.ts';
import { json, openLog, topic } from '../../../../src/index.ts';
import type { Log } from '../../../../src/index.ts';
import { connectMirror } from '../../../../src/mirror.ts';
import { natsSink } from '../../../../src/nats.ts';
import { BATCH } from '../job.ts';
import type { Delivered, Job } from '../job.ts';
import { STREAM, connectToNats } from './nats.ts';
import { partsOf } from './records.ts';
import type { Part } from './records.ts';

/** Stores all records, then measures from the start of a connector until the target has them. */
export async function deliver(job: Job): Promise<Delivered> {
  const log = await openLog('bench');
  const { warmUp, measured } = partsOf(job);
  await store(log, warmUp);
  await store(log, measured);
  await drain(log, job, job.topics.warmUp);
  const delivered = await drain(log, job, job.topics.measured);
  await log.close();
  return delivered;
}

async function store(log: Log, parts: readonly Part[]): Promise<void> {
  const partitions = parts.length;
  const name = parts[0]!.topic;
  const events = topic(name, { value: json<string>(), partitions });
  await log.admin.createTopics([events]);
  const producer = log.producer();
  for (const { partition, values } of parts) {
    await producer.sendBatch(
      events,
      values.map((value) => ({ partition, value })),
    );
  }
  await producer.close();
}

async function drain(log: Log, job: Job, name: string): Promise<Delivered> {
  const counted = { batches: 0 };
  const connection = job.path === 'nats' ? await connectToNats(job.url) : undefined;
  const events = topic(name, { value: json<string>(), partitions: job.partitions });
  const began = performance.now();
  let connector: Connector;
  if (job.path === 'mirror') {
    const port = (): WebSocket => counting(new WebSocket(job.url), counted);
    connector = connectMirror(log, { name, topics: [events], port });
  } else {
    const made = connection !== undefined ? natsSink({ connection, stream: STREAM }) : sinkOf(job);
    const sink: Sink = {
      ...(made.position !== undefined && {
        position: (source, context) => made.position!(source, context),
      }),
      put: (batch, context) => {
        counted.batches++;
        return made.put(batch, context);
      },
    };
    connector = connect(log, { name, topics: [events], sink, maxRecords: BATCH });
  }
  await connector.drain();
  const ms = performance.now() - began;
  await connector.close();
  await connection?.close();
  return { ms, ...counted };
}

function sinkOf({ path, url }: Job): Sink {
  return path === 'durable-streams'
    ? durableStreamsSink({ url })
    : httpSink({ url, receiver: true });
}

/** Counts the messages of a mirror's port that carry records. */
function counting(socket: WebSocket, counted: { batches: number }): WebSocket {
  const send = socket.send.bind(socket);
  socket.send = (data) => {
    // A position is asked for by some 200 bytes.
    if ((data as ArrayBufferView).byteLength > 1_000) counted.batches++;
    send(data);
  };
  return socket;
}
