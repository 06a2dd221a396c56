import { STATUS_CODES } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json';

interface ProblemDetails {
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly object[] | undefined;
  readonly requestId?: string | undefined;
}

/** Writes the JSON of a problem (RFC 9457). */
export function problemJson({ status, detail, errors, requestId }: ProblemDetails): string {
  return JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    errors,
    requestId,
  });
}
