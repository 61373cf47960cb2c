package consumer

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestPasswordsAreNotPrinted(t *testing.T) {
	c := good()
	c.SASL = SASL{Mechanism: SASLPlain, User: "franz", Password: "geheim"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "sasl", c.SASL)
	for _, text := range []string{
		fmt.Sprintf("%v", c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%+v", &c),
		fmt.Sprint(c.SASL), fmt.Sprintf("%q", c.SASL), log.String(),
	} {
		if strings.Contains(text, "geheim") {
			t.Errorf("tells the password: %s", text)
		}
		if !strings.Contains(text, "franz") {
			t.Errorf("does not name the user: %s", text)
		}
	}
	if got := (SASL{}).String(); got != "off" {
		t.Errorf("no SASL prints as %q", got)
	}
}
