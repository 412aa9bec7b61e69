import { translateObject } from './object.ts';

/**
 * What nodes execute where nobody asks for more. Translated once, which takes as long as a short
 * run.
 */
export const fastPrograms = translateObject('fast');
