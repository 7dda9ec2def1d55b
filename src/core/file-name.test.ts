import { expect, it } from 'vitest'
import { toFileName } from './file-name.ts'

it.each([
  ['scene.ply', 'scene.ply'],
  ['Zürich am See.jpg', 'Zürich am See.jpg'],
  ['../../etc/passwd', '_.._etc_passwd'],
  ['..\\..\\x', '_.._x'],
  ['.htaccess', 'htaccess'],
  ['\0\r\nSet-Cookie:x', '___Set-Cookie_x'],
  ['a\u001b[31m.jpg', 'a_[31m.jpg'],
  ['photo\u202egpj.exe', 'photo_gpj.exe'],
  ['half \ud83d.png', 'half _.png'],
  ['whole 😀.png', 'whole 😀.png'],
  ['', 'file'],
  ['..', 'file'],
  [' . ', 'file'],
  [`${'n'.repeat(300)}.jpg`, `${'n'.repeat(96)}.jpg`],
  ['😀'.repeat(101), '😀'.repeat(100)],
])('keeps %j as %j', (text, name) => {
  expect(toFileName(text)).toBe(name)
})
