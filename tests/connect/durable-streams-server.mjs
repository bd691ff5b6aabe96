// The reference server of Durable Streams, over files in the working folder, at PORT.
import { DurableStreamTestServer } from '@durable-streams/server';

const { PORT } = process.env;
await new DurableStreamTestServer({ port: Number(PORT), dataDir: process.cwd() }).start();
