// Package wire is what the stand-in sends and receives: parameters in the Query protocol, in CBOR, in JSON and in
// the REST protocol of Route 53, answers and error responses in all of them, timestamps, regions and request IDs. It knows no resource and no action.
//
// Params reads the form of the Query protocol. A document, which Protocol.Decode and Unflatten return, is the same for
// all protocols: map[string]any, []any, and scalars; Bind decodes it into a struct.
package wire
