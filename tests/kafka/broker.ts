import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, isOpen } from '../support/ports.ts';

/** The jars of a broker, which `npm run test:kafka` puts there. */
const JARS = fileURLToPath(new URL('../../.cache/kafka', import.meta.url));
const CLOCK = fileURLToPath(new URL('clock/SystemTime.java', import.meta.url));

/** Why no broker can be started; `undefined`: one can. */
export function lackOfKafka(): string | undefined {
  if (spawnSync('javac', ['-version']).status !== 0) return 'there is no JDK (17 or later)';
  return existsSync(JARS) ? undefined : 'npm run test:kafka brings the broker, by Maven';
}

/** A broker of Kafka in KRaft mode, over files, as a process of its own. */
export class KafkaBroker {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'tablog-kafka-'));
  readonly #port: number;
  #child: ChildProcess | undefined;
  #aheadMs = 0;

  private constructor(port: number, controllerPort: number) {
    this.#port = port;
    const settings = {
      'process.roles': 'broker,controller',
      'node.id': 1,
      'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
      'controller.listener.names': 'CONTROLLER',
      'log.dirs': path.join(this.#folder, 'data'),
      'auto.create.topics.enable': false,
      'offsets.topic.replication.factor': 1,
      'offsets.topic.num.partitions': 1,
      'transaction.state.log.replication.factor': 1,
      'transaction.state.log.min.isr': 1,
      'transaction.state.log.num.partitions': 1,
      'group.initial.rebalance.delay.ms': 0,
      // As short as a window can be: what relies on one is doubled at once.
      'transactional.id.expiration.ms': 5_000,
      'transaction.remove.expired.transaction.cleanup.interval.ms': 1_000,
      'producer.id.expiration.ms': 5_000,
      // What a group committed is forgotten after a week by default, at the next look.
      'offsets.retention.check.interval.ms': 1_000,
    };
    const lines = Object.entries(settings).map((each) => each.join('='));
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
    const compile = ['-cp', path.join(JARS, '*'), '-d', this.#classes, CLOCK];
    const { status, stderr } = spawnSync('javac', compile);
    if (status !== 0) throw new Error(String(stderr));
    const format = ['kafka.tools.StorageTool', 'format', '-t', '4L6g3nShT-eMCtK--X86sw'];
    this.#java([...format, '-c', this.#config]);
  }

  static async create(): Promise<KafkaBroker> {
    return new KafkaBroker(await freePort(), await freePort());
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get #config(): string {
    return path.join(this.#folder, 'server.properties');
  }

  /** The classes that take the place of the jars'. */
  get #classes(): string {
    return path.join(this.#folder, 'classes');
  }

  get #classPath(): string {
    return [this.#classes, path.join(JARS, '*')].join(path.delimiter);
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const clock = `-DaheadMs=${this.#aheadMs}`;
    const args = ['-Xmx512m', clock, '-cp', this.#classPath, 'kafka.Kafka', this.#config];
    this.#child = spawn('java', args, { stdio: 'ignore' });
    while (!(await isOpen(this.#port))) {
      if (this.#child.exitCode !== null) throw new Error('the broker does not start');
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Kills it; its clock is so far ahead from its next start on. */
  async passTime(ms: number): Promise<void> {
    await this.kill();
    this.#aheadMs += ms;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #java(args: readonly string[]): void {
    const { status, stderr } = spawnSync('java', ['-cp', this.#classPath, ...args]);
    if (status !== 0) throw new Error(String(stderr));
  }
}
