export interface DeliberateFault {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
}
export const deliberateFaults: readonly DeliberateFault[] = []
