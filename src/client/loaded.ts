import { LOAD_FAILED } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';

/** A part of the code that is loaded when it is needed. Throws `LOAD_FAILED` where that fails. */
export async function loaded<Module>(loading: Promise<Module>): Promise<Module> {
  try {
    return await loading;
  } catch (cause) {
    throw new TablogError(LOAD_FAILED, 'a part of the code could not be loaded', { cause });
  }
}
