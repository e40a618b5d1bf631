// A stand-in for the Go adapter of Istio's walkthrough, for the benchmark: the same libraries (gRPC-Go, gogo/protobuf),
// the same work in each call (decode, format with fmt, make sure of out.txt, open the file for appending, write, close),
// the same text. Without -quiet it logs three lines a call, as the walkthrough's adapter does.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"

	config "mygrpcadapter.bench/walkthrough/config"
	metric "mygrpcadapter.bench/walkthrough/metric"
	report "mygrpcadapter.bench/walkthrough/report"
)

type adapter struct {
	log func(format string, arguments ...interface{})
}

func quiet(string, ...interface{}) {}

// HandleMetric writes what the request says to the file that its config names.
func (a *adapter) HandleMetric(_ context.Context, request *metric.HandleMetricRequest) (*report.ReportResult, error) {
	a.log("received request %v\n", *request)
	params := &config.Params{}
	if request.AdapterConfig != nil {
		if err := params.Unmarshal(request.AdapterConfig.Value); err != nil {
			a.log("cannot read the adapter's config: %v", err)
			return nil, err
		}
	}
	var text bytes.Buffer
	text.WriteString(fmt.Sprintf("HandleMetric invoked with:\n  Adapter config: %s\n  Instances: %s\n",
		params.String(), formatInstances(request.Instances)))
	if params.FilePath == "" {
		fmt.Println(text.String())
		return &report.ReportResult{}, nil
	}
	if err := appendTo(params.FilePath, text.Bytes(), a.log); err != nil {
		return nil, err
	}
	a.log("success!!")
	return &report.ReportResult{}, nil
}

// appendTo opens, writes and closes, once for each call. The first open makes out.txt, whatever file is meant, and is
// never closed by hand: the walkthrough's does so too.
func appendTo(path string, text []byte, log func(string, ...interface{})) error {
	if _, err := os.OpenFile("out.txt", os.O_RDONLY|os.O_CREATE, 0o666); err != nil {
		log("cannot make the file: %v", err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	log("writing instances to file %s", file.Name())
	_, err = file.Write(text)
	return err
}

func main() {
	isQuiet := flag.Bool("quiet", false, "log nothing")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	a := &adapter{log: log.Printf}
	if *isQuiet {
		a.log = quiet
	}
	server := grpc.NewServer()
	metric.RegisterHandleMetricServiceServer(server, a)
	fmt.Printf("listening on %q\n", listener.Addr().String())
	log.Fatal(server.Serve(listener))
}
