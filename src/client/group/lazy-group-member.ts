import type * as GroupMemberModule from './group-member.ts';
import { LazyModule } from '../../base/lazy-module.ts';

export const lazyGroupMember: LazyModule<typeof GroupMemberModule> = new LazyModule(
  'groups',
  () => import('./group-member.ts'),
);
