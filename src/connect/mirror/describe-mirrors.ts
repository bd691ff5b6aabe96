import type { Log } from '../../client/log.ts';
import { checkArray } from '../../base/argument.ts';
import { MIRROR_GROUP } from './heard-ends.ts';

type Admin = Log['admin'];
type Heard = Awaited<ReturnType<Admin['listGroupOffsets']>>;
type Described = Awaited<ReturnType<Admin['describeTopics']>>[number];

export interface MirrorPartition {
  readonly partition: number;
  /** The end of the mirror: it has what the source had before this offset. */
  readonly endOffset: number;
  /** The end of the source as of `heardAt`; null: nothing was heard of it. */
  readonly sourceEndOffset: number | null;
  /** Milliseconds since 1970. What the source has stored after it, nobody knows here. */
  readonly heardAt: number | null;
}

export interface MirrorDescription {
  readonly topic: string;
  /** The id of the topic that it is a mirror of. */
  readonly mirrorOf: string;
  readonly partitions: readonly MirrorPartition[];
}

/** The mirrors that a log has, and how far they are behind their sources. */
export async function describeMirrors(log: Log): Promise<readonly MirrorDescription[]> {
  const { admin } = log;
  const mirrors = (await admin.listTopics()).filter(({ config }) => config.mirrorOf !== null);
  if (mirrors.length === 0) return [];
  const [topics, heard] = await Promise.all([
    admin.describeTopics(mirrors.map(({ name }) => name)),
    heardOfMirrors(log),
  ]);
  return topics.map((topic) => describe(topic, topic.config.mirrorOf!, heard));
}

async function heardOfMirrors({ admin }: Log): Promise<Heard> {
  const groups = await admin.listGroups();
  const isHeard = groups.some(({ group }) => group === MIRROR_GROUP);
  return isHeard ? admin.listGroupOffsets(MIRROR_GROUP) : [];
}

function describe(
  { name, partitions }: Described,
  mirrorOf: string,
  heard: Heard,
): MirrorDescription {
  return {
    topic: name,
    mirrorOf,
    partitions: partitions.map(({ partition, endOffset }) => {
      const noted = heard.find((each) => each.topic === name && each.partition === partition);
      return { partition, endOffset, ...heardOf(noted?.metadata) };
    }),
  };
}

/**
 * Makes mirrors topics of their own, to which everybody can write and the source no more: for when the
 * source is gone. Resolves to what the mirrors lack of their sources, as far as it was heard: from
 * `endOffset` on. Throws a `TypeError` where a topic is no mirror, and then promotes none.
 */
export async function promoteMirrors(
  log: Log,
  topics: readonly string[],
): Promise<readonly MirrorDescription[]> {
  checkArray('promoteMirrors() takes an array of topic names', topics);
  const mirrors = await describeMirrors(log);
  const ids = topics.map((topic) => {
    const mirror = mirrors.find((each) => each.topic === topic);
    if (mirror === undefined) throw new TypeError(`the topic '${topic}' is no mirror`);
    return mirror.mirrorOf;
  });
  const { admin } = log;
  await admin.alterTopics(topics.map((topic) => ({ topic, config: { mirrorOf: null } })));
  // Records that were on their way have been stored before, or are refused.
  const described = await admin.describeTopics(topics);
  const heard = await heardOfMirrors(log);
  return described.map((topic, i) => describe(topic, ids[i]!, heard));
}

function heardOf(metadata = ''): Pick<MirrorPartition, 'sourceEndOffset' | 'heardAt'> {
  try {
    const { sourceEnd, heardAt } = JSON.parse(metadata) as Record<'sourceEnd' | 'heardAt', number>;
    return { sourceEndOffset: sourceEnd ?? null, heardAt: heardAt ?? null };
  } catch {
    return { sourceEndOffset: null, heardAt: null }; // nothing was noted, or something else
  }
}
