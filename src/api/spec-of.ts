import { must } from '../machinery/must.ts';

/** The spec of an object. Defaulting sets it where the published type has it optional. */
export const specOf = <S>(object: { readonly spec?: S }): S => must(object.spec, 'spec');
