import t from 'tap'
import Type from 'typebox'
import { Compile } from '../../src/schemas/compile.ts'
import { findInputErrors, limitInputErrors } from '../../src/schemas/input-errors.ts'

t.test('a format that is broken is named, and a UUID in plain words', async (t) => {
  const contract = Compile(Type.Object({ id: Type.String({ format: 'uuid' }), day: Type.String({ format: 'date' }) }))
  t.strictSame(findInputErrors(contract, { id: '828cf71d-a447-4a67-a149-c1df8bc197ca', day: '2024-02-29' }), [])
  t.strictSame(findInputErrors(contract, { id: 'a', day: 'b' }), [
    { pointer: '/id', message: 'must be a UUID' },
    { pointer: '/day', message: 'must match format "date"' },
  ])
})

t.test('a long name is cut, and the pointer stays a JSON Pointer of whole characters', async (t) => {
  const contract = Compile(Type.Object({}, { additionalProperties: false }))
  const rows: [name: string, pointer: string][] = [
    ['a'.repeat(127), `/${'a'.repeat(127)}`],
    ['a'.repeat(128), `/${'a'.repeat(127)}`],
    [`${'a'.repeat(125)}/`, `/${'a'.repeat(125)}~1`],
    [`${'a'.repeat(126)}/`, `/${'a'.repeat(126)}`],
    [`${'a'.repeat(126)}~`, `/${'a'.repeat(126)}`],
    ['~'.repeat(100), `/${'~0'.repeat(63)}`],
    [`${'a'.repeat(125)}😀`, `/${'a'.repeat(125)}😀`],
    [`${'a'.repeat(126)}😀`, `/${'a'.repeat(126)}`],
  ]
  for (const [name, pointer] of rows) {
    const pointers = limitInputErrors(findInputErrors(contract, { [name]: 1 })).map((error) => error.pointer)
    t.strictSame(pointers, [pointer])
  }
})
