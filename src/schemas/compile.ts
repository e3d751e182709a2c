/** TypeBox's compiler, set up for the whole process. */
import { Compile } from 'typebox/compile'
import { Settings } from 'typebox/system'

/** Enough for every member of a body and of its objects, and for every setting; the default of 8 would hide faults. */
export const maxErrors = 64
Settings.Set({ maxErrors })

export { Compile }
