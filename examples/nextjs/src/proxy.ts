import { type NextRequest, NextResponse } from 'next/server'
import { visitorCookie } from './visitor'

/** Gives whoever opens the page a name that only their browser knows. */
export function proxy(request: NextRequest): NextResponse {
  const response = NextResponse.next()
  if (!request.cookies.has(visitorCookie))
    response.cookies.set(visitorCookie, crypto.randomUUID(), {
      httpOnly: true,
      sameSite: 'lax',
      secure: request.nextUrl.protocol === 'https:',
      maxAge: 365 * 24 * 3600,
    })
  return response
}

export const config = { matcher: '/' }
