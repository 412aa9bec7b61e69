import { translateObject } from '../../sim/node/object.ts';

/** What nodes execute in tests: every access is checked. */
export const checkedPrograms = translateObject('checked');
