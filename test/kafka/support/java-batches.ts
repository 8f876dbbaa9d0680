/**
 * Batches as the Java client (3.9.1) makes them, for every codec and every format of the log: three records from offset 5 on.
 * Made by `MemoryRecords.builder(…)`; the broker's own code reads and writes them.
 */
export const JAVA_BATCHES: readonly { readonly magic: number; readonly codec: string; readonly base64: string }[] = [
  {
    magic: 0,
    codec: "gzip",
    base64:
      "AAAAAAAAAAcAAACNAmt41wAB/////wAAAH8fiwgAAAAAAAD/Y2AAA1YGBpaXe37vrQLzmLINgPybBiUZqQrFibmpCuX5RSnFConpiZl5Col5KVDWqPSo9Kj0qPSQk4aUeQxswELuubf8ru8MDP+BAFTkGQ5iV49Kj0qPSo9KU1LksQOxQLfy41vQdp4RqOADAMgHfi8ECgAA",
  },
  {
    magic: 0,
    codec: "snappy",
    base64:
      "AAAAAAAAAAcAAAD8BsCPYwAC/////wAAAO6CU05BUFBZAAAAAAEAAAABAAAA2oQUAAAJASAFAAAE6bz7vXoFD3wCazAAAATZMHRoZSBzYW1lIHdvcmRzIGFnYWluIGFuZA0K/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A/h8A4h8AheVAAAAGAAAE50sfuvcAAP////+B8wAx/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE/tQE4tQEerkEjfNQBwAAABCLI+PaAAAAAAACazL/////",
  },
  {
    magic: 0,
    codec: "lz4",
    base64:
      "AAAAAAAAAAcAAACYpOXQ9wAD/////wAAAIoEIk0YYEAaewAAABIAAQCRBQAABOm8+716DwDzEQJrMAAABNkwdGhlIHNhbWUgd29yZHMgYWdhaW4gYW5kCgAPHwD/////qgHlBPACAAAGAAAE50sfuvcAAP/////zBB8x1AT/////qg+5BAwA8ATBAAAABwAAABCLI+PaDgBwAmsy/////wAAAAA=",
  },
  {
    magic: 1,
    codec: "gzip",
    base64:
      "AAAAAAAAAAcAAACbTO7xCgEBAAAAAAAAA+r/////AAAAhR+LCAAAAAAAAP9jYIABlo9+0ilGjFAe8wsgwZRtABS/aVCSkapQnJibqlCeX5RSrJCYnpiZp5CYlwJljUqPSo9Kj0oPOWloWQcs81jeF12vC4QXfi//AwGo6DMcxK4flR6VHpUelaak6GMCYgkNhzVr4UXfK3C7zwhUAAIA4M5BmBwKAAA=",
  },
  {
    magic: 1,
    codec: "snappy",
    base64:
      "AAAAAAAAAAcAAAEJbmTX4QECAAAAAAAAA+r/////AAAA84JTTkFQUFkAAAAAAQAAAAEAAADfnBQAABUBGATxThtkMgENEJAD6AAAAAJrMAAABNkwdGhlIHNhbWUgd29yZHMgYWdhaW4gYW5kDQr+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwD+HwDiHwCN7CABAAAE73LXflGV/RDp/////4H7ADH+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3AT+3ATi3AR6uQSN+yACAAAAGChArK2V+yjqAAAAAmsy/////w==",
  },
  {
    magic: 1,
    codec: "lz4",
    base64:
      "AAAAAAAAAAcAAACj+/HxpQEDAAAAAAAAA+r/////AAAAjQQiTRhgQIJ+AAAAFQABAHME8U4bZDIBEADzFgPoAAAAAmswAAAE2TB0aGUgc2FtZSB3b3JkcyBhZ2FpbiBhbmQKAA8fAP////+qA+wElQEAAATvctd+Uf0EUOn/////+wQfMdwE/////6oPuQQMA/sElQIAAAAYKECsrfsEsOoAAAACazL/////AAAAAA==",
  },
  {
    magic: 2,
    codec: "gzip",
    base64:
      "AAAAAAAAAAUAAACi/////wK1KWDJAAEAAAACAAAAAAAAA+gAAAAAAAAD6v//////////////////AAAAAx+LCAAAAAAAAP97IMzAwMCSbbBJ2KAkI1WhODE3VaE8vyilWCExPTEzTyExLwXKGpUelR6VHpUectJsTIlMhkBsxJGXn5fKeECYgYmJcZOw4SB28qj0qPSo9Kg0WdIMAgwsLCzZRowMAC7lQivdCQAA",
  },
  {
    magic: 2,
    codec: "snappy",
    base64:
      "AAAAAAAAAAUAAAEG/////wKpXG09AAIAAAACAAAAAAAAA+gAAAAAAAAD6v//////////////////AAAAA4JTTkFQUFkAAAAAAQAAAAEAAADB3ROI4BMAAAAEazCyEzB0aGUgc2FtZSB3b3JkcyBhZ2FpbiBhbmQNCv4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAP4fAOIfAFwGAmECMQJhAjIIbm9uZQHAEwACAgGyEzH+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QT+0QTi0QR6uQQkABAABAQEazIBAA==",
  },
  {
    magic: 2,
    codec: "lz4",
    base64:
      "AAAAAAAAAAUAAACf/////wKvsLLXAAMAAAACAAAAAAAAA+gAAAAAAAAD6v//////////////////AAAAAwQiTRhgQIJfAAAA8xTgEwAAAARrMLITMHRoZSBzYW1lIHdvcmRzIGFnYWluIGFuZAoADx8A/////6r/CQYCYQIxAmECMghub25lAcATAAICAbITMdEE/////6oPuQQMoAAQAAQEBGsyAQAAAAAA",
  },
  {
    magic: 2,
    codec: "zstd",
    base64:
      "AAAAAAAAAAUAAACU/////wJ0DtFKAAQAAAACAAAAAAAAA+gAAAAAAAAD6v//////////////////AAAAAyi1L/0AWLwCAFQE4BMAAAAEazCyEzB0aGUgc2FtZSB3b3JkcyBhZ2FpbiBhbmQGAmECMQJhAjIIbm9uZQHAEwACAgGyEzEAEAAEBARrMgEABACgAdhCTf7HFqG+Xd3yBAEAAA==",
  },
];
