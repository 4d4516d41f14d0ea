// A tenant that means harm, made of the descriptors of the real protocols.
module hostile

go 1.25.0

require (
	completeness v0.0.0
	github.com/gogo/protobuf v1.3.2
	github.com/pingcap/kvproto v0.0.0-20260724054804-059694ae4472
	go.etcd.io/etcd/api/v3 v3.5.12
	golang.org/x/net v0.51.0
	google.golang.org/grpc v1.59.0
	google.golang.org/protobuf v1.34.2
)

require (
	github.com/bufbuild/protocompile v0.14.1 // indirect
	github.com/coreos/go-semver v0.3.0 // indirect
	github.com/golang/protobuf v1.5.4 // indirect
	github.com/pingcap/tipb v0.0.0-20250529123214-bb8180a479ec // indirect
	go.etcd.io/etcd/server/v3 v3.5.12 // indirect
	golang.org/x/sync v0.19.0 // indirect
	golang.org/x/sys v0.41.0 // indirect
	golang.org/x/text v0.34.0 // indirect
	google.golang.org/genproto v0.0.0-20231012201019-e917dd12ba7a // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20231002182017-d307bd883b97 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20231016165738-49dd2c1f3d0b // indirect
)

replace completeness => ../completeness
