import { withTypeScript } from '../support/with-typescript.mjs';

/**
 * The engines that are installed, of those that are named or of all; the missing ones are named on
 * standard error, with what installs them.
 * @param {readonly string[]} [names]
 * @returns {Promise<readonly import('./engine.ts').Engine[]>}
 */
export function installedEngines(names) {
  return withTypeScript(new URL('engines.ts', import.meta.url), async (module) => {
    const { ENGINE_NAMES, INSTALL, findEngine } = module;
    const engines = [];
    for (const name of names ?? ENGINE_NAMES) {
      if (!ENGINE_NAMES.includes(name)) {
        throw new Error(`there is no engine '${name}': it is one of ${ENGINE_NAMES.join(', ')}`);
      }
      const engine = await findEngine(name);
      if (engine === undefined) console.error(`${name} is not installed: ${INSTALL[name]}`);
      else engines.push(engine);
    }
    return engines;
  });
}
