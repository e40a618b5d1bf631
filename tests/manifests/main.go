// Command manifests decodes Kubernetes objects into Kubernetes' own types, strictly: a field the API server does not know,
// a wrong type, or a key given twice is an error. Objects of Mixer are left to Mixer (tests/mixer).
//
// Usage: manifests FOLDER...
//
// Of each folder it takes what `kubectl apply -f FOLDER` takes: the files in it, not those beneath.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/yaml"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
)

const mixerGroup = "config.istio.io"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: manifests FOLDER...")
		os.Exit(64)
	}
	count, err := checkFolders(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
	fmt.Printf("manifests: ok (%d objects of Kubernetes)\n", count)
}

// checkFolders decodes every object in these folders; returns how many were Kubernetes' own.
func checkFolders(folders []string) (int, error) {
	decoder, err := newDecoder()
	if err != nil {
		return 0, err
	}
	count := 0
	for _, folder := range folders {
		paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil {
			return count, err
		}
		found := 0
		for _, path := range paths {
			inFile, err := checkFile(decoder, path)
			if err != nil {
				return count, err
			}
			found += inFile
		}
		if found == 0 {
			return count, fmt.Errorf("%s: no object of Kubernetes", folder)
		}
		count += found
	}
	return count, nil
}

// newDecoder knows the types of the groups used here, and is strict.
func newDecoder() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	info, ok := runtime.SerializerInfoForMediaType(
		serializer.NewCodecFactory(scheme, serializer.EnableStrict).SupportedMediaTypes(), runtime.ContentTypeYAML)
	if !ok || info.StrictSerializer == nil {
		return nil, errors.New("no strict serializer")
	}
	return info.StrictSerializer, nil
}

func checkFile(decoder runtime.Decoder, path string) (int, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(content)))
	defer documents.Close()
	count := 0
	buffer := make([]byte, len(content)+1)
	for {
		size, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return count, fmt.Errorf("%s: %w", path, err)
		}
		found, err := checkDocument(decoder, buffer[:size])
		if err != nil {
			return count, fmt.Errorf("%s: %w", path, err)
		}
		count += found
	}
}

// checkDocument returns 1 for an object of Kubernetes that is good, 0 for one of Mixer.
func checkDocument(decoder runtime.Decoder, document []byte) (int, error) {
	kind, err := json.DefaultMetaFactory.Interpret(toJSON(document))
	if err != nil {
		return 0, err
	}
	if kind.Group == mixerGroup {
		return 0, nil
	}
	object, _, err := decoder.Decode(document, &schema.GroupVersionKind{}, nil)
	if err != nil {
		return 0, err
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		return 0, err
	}
	if problems := validation.IsDNS1035Label(accessor.GetName()); len(problems) > 0 {
		return 0, fmt.Errorf("%s %q: %s", kind.Kind, accessor.GetName(), strings.Join(problems, "; "))
	}
	return 1, nil
}

// toJSON returns nothing that can be read if the document is no YAML.
func toJSON(document []byte) []byte {
	converted, err := yaml.ToJSON(document)
	if err != nil {
		return nil
	}
	return converted
}
