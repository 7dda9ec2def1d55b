import type { MessageFields } from '../../wire/protobuf.ts'

/**
 * The messages of `modal.client.ModalClient` that this emulator speaks, with the fields that matter. Field numbers: the
 * code that the package `modal@0.11.1` carries for the same messages, which the Python package of that name carries too.
 */
const handle: MessageFields = {
  functionName: [2, 'string'],
  webUrl: [28, 'string'],
  supportedInputFormats: [50, 'int', 'repeated'],
  supportedOutputFormats: [51, 'int', 'repeated'],
  appId: [52, 'string'],
}
const functionData: MessageFields = {
  timeoutSecs: [8, 'int'],
  autoscalerSettings: [31, { minContainers: [1, 'int'], maxContainers: [2, 'int'], scaledownWindow: [5, 'int'] }],
}
const input: MessageFields = {
  args: [1, 'bytes'],
  argsBlobId: [7, 'string'],
  dataFormat: [10, 'int'],
  methodName: [11, 'string'],
}
const result: MessageFields = {
  status: [1, 'int'],
  exception: [2, 'string'],
  exitcode: [3, 'int'],
  traceback: [4, 'string'],
  data: [5, 'bytes'],
  dataBlobId: [10, 'string'],
}
const output: MessageFields = {
  result: [1, result],
  idx: [2, 'int'],
  inputId: [3, 'string'],
  dataFormat: [5, 'int'],
  taskId: [6, 'string'],
  inputStartedAt: [7, 'double'],
  outputCreatedAt: [8, 'double'],
  retryCount: [9, 'int'],
}
const category: MessageFields = {
  total: [1, 'int'],
  latest: [2, { inputId: [1, 'string'], idx: [2, 'int'], taskId: [3, 'string'], startedAt: [4, 'double'] }, 'repeated'],
}
const call: MessageFields = { functionCallId: [1, 'string'] }

/** An RPC's two messages. */
export interface RpcMessages {
  readonly request: MessageFields
  readonly response: MessageFields
}

/** By the last part of the path. */
export const rpcMessages: { readonly [name: string]: RpcMessages } = {
  AuthTokenGet: { request: {}, response: { token: [1, 'string'] } },
  FunctionGet: {
    request: { appName: [1, 'string'], objectTag: [2, 'string'], environmentName: [4, 'string'] },
    response: { functionId: [1, 'string'], handleMetadata: [2, handle], function: [5, functionData] },
  },
  FunctionMap: {
    request: {
      functionId: [1, 'string'],
      functionCallType: [4, 'int'],
      pipelinedInputs: [5, { idx: [1, 'int'], input: [2, input] }, 'repeated'],
      functionCallInvocationType: [6, 'int'],
    },
    response: {
      functionCallId: [1, 'string'],
      pipelinedInputs: [2, { idx: [1, 'int'], inputId: [2, 'string'], inputJwt: [3, 'string'] }, 'repeated'],
      functionCallJwt: [4, 'string'],
    },
  },
  FunctionGetOutputs: {
    request: {
      functionCallId: [1, 'string'],
      maxValues: [2, 'int'],
      timeout: [3, 'float'],
      lastEntryId: [6, 'string'],
      clearOnSuccess: [7, 'bool'],
    },
    response: {
      outputs: [4, output, 'repeated'],
      lastEntryId: [5, 'string'],
      numUnfinishedInputs: [6, 'int'],
    },
  },
  FunctionCallFromId: {
    request: call,
    response: { ...call, numInputs: [2, 'int'], metadata: [3, { functionId: [2, 'string'] }] },
  },
  FunctionCallGetInfo: {
    request: { functionId: [1, 'string'], functionCallId: [2, 'string'] },
    response: { info: [1, { ...call, pendingInputs: [12, category], totalInputs: [17, 'int'] }] },
  },
  FunctionCallCancel: { request: { ...call, terminateContainers: [2, 'bool'] }, response: {} },
  FunctionGetCurrentStats: {
    request: { functionId: [1, 'string'] },
    response: { backlog: [1, 'int'], numTotalTasks: [3, 'int'], numRunningInputs: [4, 'int'] },
  },
  BlobCreate: {
    request: { contentMd5: [1, 'string'], contentSha256Base64: [2, 'string'], contentLength: [3, 'int'] },
    response: {
      uploadUrl: [1, 'string'],
      blobId: [2, 'string'],
      blobIds: [4, 'string', 'repeated'],
      uploadUrls: [5, { items: [1, 'string', 'repeated'] }],
    },
  },
  BlobGet: { request: { blobId: [1, 'string'] }, response: { downloadUrl: [1, 'string'] } },
}

/** What a server adds to a status when it wants a call repeated later: `google.rpc.Status` with one detail. */
export const retryDetails: MessageFields = {
  code: [1, 'int'],
  details: [3, { typeUrl: [1, 'string'], value: [2, 'bytes'] }, 'repeated'],
}
export const retryPolicy: MessageFields = { retryAfterSecs: [1, 'float'] }
