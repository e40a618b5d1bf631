//go:build tools
// +build tools

// Package tools names what is built here, so that go.sum can be kept.
package tools

import (
	_ "istio.io/istio/mixer/cmd/mixc"
	_ "istio.io/istio/mixer/cmd/mixs"
)
