package messages

import (
	"encoding"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// constants counts the constants of a type, by reading the package's own source: a constant that somebody adds is
// found without being listed here.
func constants(t *testing.T, typeName string) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			var current string // the type that iota's silent repetition goes on with
			for _, spec := range group.Specs {
				value, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				if id, ok := value.Type.(*ast.Ident); ok {
					current = id.Name
				} else if len(value.Values) > 0 {
					current = ""
				}
				if current == typeName {
					for _, n := range value.Names {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

type enum interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}

// roundTrip checks every constant of E: it has the name of the constant, and comes back from its text.
func roundTrip[E enum, P interface {
	*E
	encoding.TextUnmarshaler
}](t *testing.T, typeName string) {
	t.Helper()
	t.Run(typeName, func(t *testing.T) {
		names := constants(t, typeName)
		if len(names) < 2 {
			t.Fatalf("found %d constants: they are not read as they should be", len(names))
		}
		for i, constant := range names {
			e := E(i + 1)
			if want := strings.TrimPrefix(constant, typeName); e.String() != want {
				t.Errorf("%s prints as %q, want %q", constant, e, want)
			}
			text, err := e.MarshalText()
			if err != nil {
				t.Errorf("%s: %v", constant, err)
			}
			var back E
			if err := P(&back).UnmarshalText(text); err != nil || back != e {
				t.Errorf("%s: %q comes back as %v, %v", constant, text, back, err)
			}
		}
		beyond := E(len(names) + 1)
		for _, e := range []E{0, beyond, 255} {
			if want := fmt.Sprintf("%s(%d)", typeName, uint8(e)); e.String() != want {
				t.Errorf("%d prints as %q, want %q", uint8(e), e, want)
			}
		}
		for _, text := range []string{"", "nonsense", beyond.String()} {
			e := E(1)
			err := P(&e).UnmarshalText([]byte(text))
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) || e != 1 {
				t.Errorf("%q is read as %v, %v", text, e, err)
			}
		}
	})
}

func TestEnumsComeBackFromTheirText(t *testing.T) {
	roundTrip[Class](t, "Class")
	roundTrip[Action](t, "Action")
	roundTrip[State](t, "State")
	roundTrip[Reason](t, "Reason")
}

func TestTimeKindNames(t *testing.T) {
	for kind, want := range map[TimeKind]string{
		CreateTime: "CreateTime", LogAppendTime: "LogAppendTime", TimeUnknown: "unknown", 9: "unknown", -1: "unknown",
	} {
		if got := kind.String(); got != want {
			t.Errorf("%d prints as %q, want %q", int8(kind), got, want)
		}
	}
}
