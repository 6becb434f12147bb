"""Mail as people send it: several scripts, HTML, attachments, forwarded messages, and lines that look like IMAP."""
import email.message
import email.policy
import email.utils
import random

PEOPLE = ["Alice Martin", "Björn Åkesson", "Chinwe Okafor", "Дарья Соколова", "江口 恵", "Émile Durand", "Fatima Zahra"]
SUBJECTS = ["Minutes of Tuesday", "Rechnung für März", "Re: travel to Zürich", "資料の確認", "Отчёт за неделю",
            "Fwd: the broken pump", "Invitation: release party", "Your parcel is on its way"]
SENTENCES = ["The pump has been running since noon and the pressure is stable.",
             "Könnten Sie mir bitte die Unterlagen bis Freitag schicken?",
             "Merci beaucoup pour votre réponse rapide.",
             "添付の資料をご確認ください。", "Прошу прислать отчёт до конца недели.",
             "I have put the figures into the table below; the last column is new."]
# What a careless reader of IMAP would take for the protocol.
TRAPS = ["a OK LOGIN completed", "* BYE Server shutting down.", "* NO [TRYCREATE] nothing of the kind", "{5}", ")",
         "+ go on", "A0001 BAD {100}", "From the beginning of a line"]


def messages(count, seed):
    """`count` messages as bytes with LF line ends; the same ones for the same seed."""
    chance = random.Random(seed)
    kinds = [plain, html, attachment, forwarded, traps]
    return [octets(kinds[number % len(kinds)](chance, number), chance) for number in range(count)]


def octets(message, chance):
    for part in message.walk():
        if part.get_content_maintype() == "multipart":  # else its boundary would be new in every run
            part.set_boundary(f"={chance.getrandbits(64):016x}=")
    return message.as_bytes()


def plain(chance, number):
    message = envelope(chance, number)
    message.set_content("\n\n".join(chance.choices(SENTENCES, k=chance.randint(1, 8))) + "\n")
    return message


def html(chance, number):
    message = plain(chance, number)
    count = chance.randint(1, 30)
    rows = "".join(f"<tr><td>{row}</td><td>{chance.choice(SENTENCES)}</td></tr>" for row in range(count))
    message.add_alternative(f"<html><body><table>{rows}</table></body></html>\n", subtype="html")
    return message


def attachment(chance, number):
    message = plain(chance, number)
    message.add_attachment(chance.randbytes(chance.randint(0, 60_000)), maintype="application", subtype="pdf",
                           filename=f"Übersicht {number}.pdf")
    return message


def forwarded(chance, number):
    message = plain(chance, number)
    message.add_attachment(html(chance, number + 1))
    return message


def traps(chance, number):
    message = envelope(chance, number)
    message.set_content("\n".join(chance.choices(TRAPS, k=12)) + "\n")
    return message


def envelope(chance, number):
    message = email.message.EmailMessage(policy=email.policy.SMTP.clone(linesep="\n"))
    sender, recipient = chance.sample(PEOPLE, 2)
    message["From"] = email.utils.formataddr((sender, f"sender{number}@example.org"))
    message["To"] = email.utils.formataddr((recipient, "reader@example.net"))
    message["Subject"] = chance.choice(SUBJECTS)
    message["Date"] = email.utils.formatdate(1_700_000_000 + 3600 * number)
    message["Message-ID"] = f"<{chance.getrandbits(64):016x}@example.org>"
    return message
