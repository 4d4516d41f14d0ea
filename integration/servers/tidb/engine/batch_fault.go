package main

import (
	"reflect"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
)

// faultOf makes the response of a command say that it failed. Each kind of
// response has a field for that, of one of three types, or has none: then the
// client can be told no more than that there is no answer.
func faultOf[Resp any](why string) (Resp, bool) {
	resp := reflect.New(reflect.TypeFor[Resp]().Elem())
	for _, name := range []string{"Error", "Errors", "OtherError"} {
		field := resp.Elem().FieldByName(name)
		if !field.IsValid() {
			continue
		}
		for _, fault := range []any{why, &kvrpcpb.KeyError{Abort: why}, abort(why)} {
			if value := reflect.ValueOf(fault); value.Type() == field.Type() {
				field.Set(value)
				return resp.Interface().(Resp), true
			}
		}
	}
	return resp.Interface().(Resp), false
}
