import type * as GroupMemberModule from './group-member.ts';
import { Part } from './part.ts';

export const groupMemberPart: Part<typeof GroupMemberModule> = new Part(
  'groups',
  () => import('./group-member.ts'),
);
